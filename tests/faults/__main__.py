"""Inject faults for some time and print the table; exit status 1 unless nothing was lost, repeated or unclear."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "bench")]
os.environ["OMP_NUM_THREADS"] = "1"

SECONDS = 450.0


def main() -> int:
    options = parser().parse_args()
    import bench.commands
    import bench.engines.freeze
    import bench.engines.pending_runs
    import bench.engines.server_imports  # noqa: F401 - once, for all commands
    from bench.engines import processes
    from tests.faults import archives, damage, disk, kills, mirror, ranks
    from tests.faults.tally import Tally
    from tests.faults.world import World

    processes.START_METHOD = "fork"
    os.environ["BENCH_TRACKING"] = "off"  # but where a kind of fault turns it on
    Kind = Callable[[World, Tally, random.Random], None]
    often: list[tuple[Kind, int]] = [  # with how many of each go into a round
        (archives.crafted, 14),
        (archives.broken, 14),
        (kills.random_moment, 4),
        (kills.chosen_operation, 3),
        (damage.run_file, 3),
        (kills.while_replacing, 1),
        (damage.board_file, 2),
        (disk.full_from_a_moment, 2),
        (disk.largest_file, 1),
        (disk.small_file_system, 1),
        (damage.scratch, 1),
        (kills.two_commands, 1),
        (kills.server, 1),
        (ranks.rank, 1),
        (mirror.killed_while_tracking, 2),
        (mirror.damaged_database, 1),
        (mirror.bad_server, 1),
    ]
    start = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    tally = Tally()
    try:
        world = World(root)
        order = random.Random(options.seed)
        number = 0
        while time.monotonic() - start < options.seconds:
            round_ = [kind for kind, count in often for _ in range(count)]
            order.shuffle(round_)
            for kind in round_:
                if time.monotonic() - start > options.seconds:
                    break
                kind(world, tally, random.Random(f"{options.seed} {number}"))
                number += 1
                for store in root.glob("store-*"):
                    shutil.rmtree(store, ignore_errors=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for line in tally.lines:
        print(line)
    print(tally.table())
    spent = time.monotonic() - start
    command = f"`python -m tests.faults --seed {options.seed}`"
    words = f"{command}, {time.strftime('%Y-%m-%d')}, {spent:.0f} s: written by the run."
    if options.table is not None:
        tally.write(options.table, words)
    return int(tally.failed or not tally.total)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    found.add_argument("--seconds", type=float, default=SECONDS, help="begin no fault after so many seconds")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--table", type=Path, help="write the table to this file")
    return found


if __name__ == "__main__":
    sys.exit(main())
