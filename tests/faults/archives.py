"""Hostile and damaged archives: an import adds whole runs or says why not, and writes nowhere else."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import traceback
from functools import cache
from pathlib import Path

from bench.cli import main
from bench.runs import archive
from bench.runs.run_directory import fault
from tests.faults.damage import damaged
from tests.faults.tally import Tally
from tests.faults.world import World, result_of

sys.path.append(str(Path(__file__).parents[1] / "bench" / "runs"))


def crafted(world: World, tally: Tally, rng: random.Random) -> None:
    """An archive made to do harm: paths, links, devices, encryption, archives in archives."""
    from test_unpacking import HOSTILE, NAMES, tar_of, zip_of

    store = world.new_store()
    if rng.random() < 0.5:
        make, _ = HOSTILE[rng.choice(sorted(HOSTILE))]
        path = make(store)
    else:
        make = rng.choice((tar_of, zip_of))
        path = make(store / ("x.zip" if make is zip_of else "x.tar.gz"), (rng.choice(NAMES), b"evil"))
    import_(world, tally, "archive: crafted", path, store, whole=False)


def broken(world: World, tally: Tally, rng: random.Random) -> None:
    """An archive of all runs with a flipped bit, a cut, zeros or rubbish."""
    store = world.new_store()
    kind = rng.choice(("zip", "tar.gz"))
    path = store / f"all.{kind}"
    path.write_bytes(damaged(packed(world, kind), rng))
    import_(world, tally, f"archive: damaged {kind}", path, store, whole=True)


@cache
def packed(world: World, kind: str) -> bytes:
    path = world.root / f"all.{kind}"
    archive.export(world.run_dirs(world.store), path)
    return path.read_bytes()


def import_(world: World, tally: Tally, kind: str, path: Path, store: Path, *, whole: bool) -> None:
    """Import in this process, and hold what is there then to the rules."""
    tally.inject(kind)
    home = store / "home" / "store"
    shown = io.StringIO()
    before = os.environ.get("BENCH_STORE")
    os.environ["BENCH_STORE"] = str(home)
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            status = main(["import", str(path)])
    except BaseException:
        tally.note(kind, "unclear", f"{path.name}: {traceback.format_exc()[-2000:]}")
        return
    finally:
        os.environ.pop("BENCH_STORE") if before is None else os.environ.update(BENCH_STORE=before)
    runs = world.run_dirs(home)
    for run_dir in runs:
        if reason := fault(run_dir):
            tally.note(kind, "lost", f"imported and not whole: {reason}")
        elif result_of(run_dir).per_image != world.scores[run_dir.name]:
            tally.note(kind, "lost", f"imported with other scores: {run_dir.name}")
    if whole and status == 0 and len(runs) < len(world.scores):
        tally.note(kind, "lost", f"exit status 0 with {len(runs)} of {len(world.scores)} runs")
    if status and "bench: " not in shown.getvalue():
        tally.note(kind, "unclear", f"exit status {status} without a reason")
    stray = {one.name for one in (home / "runs").glob(".*")} | {one.name for one in store.iterdir()} - {
        path.name,
        "home",
    }
    stray |= {one.name for one in (store / "home").iterdir()} - {"store"} if (store / "home").exists() else set()
    stray -= {"inner.zip"}  # a part of a crafted one
    if stray:
        tally.note(kind, "unclear", f"written elsewhere, or left: {stray}")
