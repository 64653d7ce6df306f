"""The runs of this check in one archive for `bench import`, small enough to be sent, and imported elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.places import runs
from bench.runs.records import Result, finished
from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, NOTE, OK, Row

LARGEST = 14 * 2**20  # bytes of run directories, which hardly shrink: pictures and weights


def rows(plan: Plan) -> Iterator[Row]:
    chosen, left = choose(plan.device)
    if not chosen:
        yield Row(FAILED, "archive", "there is no finished run")
        return
    store, fresh = Path(plan.folder) / "archived", Path(plan.folder) / "imported"
    for run in chosen:
        shutil.copytree(run, store / "runs" / run.name)
    target = Path(plan.out) / "runs.tar.gz"
    for folder, words in ((store, ["export", str(target)]), (fresh, ["import", str(target)])):
        done = subprocess.run(
            [sys.executable, "-m", "bench.cli", *words],
            env=os.environ | {"BENCH_STORE": str(folder)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            yield Row(FAILED, words[0], (done.stderr.strip().splitlines() or ["no output"])[-1])
            return
    again = sum(finished(path) for path in (fresh / "runs").glob("[0-9a-f]*"))
    found = f"{len(chosen)} runs, {target.stat().st_size / 2**20:.1f} MiB, {again} imported again"
    yield Row(OK if again == len(chosen) else FAILED, target.name, found)
    if left:
        yield Row(NOTE, "left out", f"{left} runs, for the size")


def choose(device: str) -> tuple[list[Path], int]:
    """The finished runs of the device, the smallest first, as many as the archive may hold; how many it may not."""
    found = []
    for path in runs().glob("[0-9a-f]*"):
        if finished(path) and Result.read(path / "result.json").accelerator == device:
            found.append((sum(file.stat().st_size for file in path.rglob("*") if file.is_file()), path))
    chosen, total = [], 0
    for size, path in sorted(found):
        total += size
        if total <= LARGEST:
            chosen.append(path)
    return chosen, len(found) - len(chosen)
