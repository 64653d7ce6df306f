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
os.environ |= {"BENCH_TRACKING": "off", "OMP_NUM_THREADS": "1"}

SECONDS = 450.0


def main() -> int:
    options = parser().parse_args()
    import bench.commands
    import bench.engines.freeze
    import bench.engines.pending_runs
    import bench.engines.server_imports  # noqa: F401 - once, for all commands
    from bench.engines import processes
    from tests.faults import archives, damage, disk, kills, servers
    from tests.faults.tally import Tally
    from tests.faults.world import World

    processes.START_METHOD = "fork"
    Kind = Callable[[World, Tally, random.Random], None]
    often: list[tuple[Kind, int]] = [  # with how many of each go into a round
        (archives.crafted, 10),
        (archives.broken, 10),
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
    ]
    if not options.quick:
        often.append((kills.server, 1))
    if options.servers:
        often.append((servers.tracking_server, 2))
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
    found.add_argument("--quick", action="store_true", help="without real commands, which take 20 seconds each")
    found.add_argument("--servers", action="store_true", help="with tracking servers that are away, dead or slow")
    found.add_argument("--table", type=Path, help="write the table to this file")
    return found


if __name__ == "__main__":
    sys.exit(main())
