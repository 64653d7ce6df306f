"""Lanes of parts: the parts of a lane follow one another in one process, the lanes of a phase work side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, Row, read
from tests.gpu_check.surroundings import ROOT

GRACE = 15.0  # seconds beyond the limits of its parts after which a lane is killed


@dataclass(frozen=True)
class Lane:
    """Parts with their shares of the time of a phase, and the processes that they may use at a time."""

    parts: Mapping[str, float]
    jobs: int


@dataclass
class Running:
    lane: Lane
    process: subprocess.Popen[bytes]
    rows: Path
    log: IO[bytes]


def run_phase(
    lanes: Sequence[Lane], plan: Plan, seconds: float, environment: Mapping[str, str], folder: Path
) -> list[Row]:
    """The rows of all lanes, in their order; a part whose process ended without a word is a failure."""
    working = [start(lane, plan, seconds, environment, folder) for lane in lanes]
    end = time.monotonic() + seconds + GRACE
    try:
        for one in working:
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.1, end - time.monotonic()))
    finally:
        for one in working:
            stop(one)
    return [row for one in working for row in rows_of(one)]


def start(lane: Lane, plan: Plan, seconds: float, environment: Mapping[str, str], folder: Path) -> Running:
    name = "-".join(lane.parts)
    plan_file, rows = folder / f"{name}.plan.json", folder / f"{name}.rows.jsonl"
    plan_file.write_text(replace(plan, jobs=lane.jobs).to_json(), encoding="utf-8")
    limits = [f"{part}={share * seconds:.1f}" for part, share in lane.parts.items()]
    words = [sys.executable, "-m", "tests.gpu_check.part", str(plan_file), str(rows), *limits]
    log = (folder / f"{name}.log").open("wb")
    process = subprocess.Popen(
        words, cwd=ROOT, env=dict(environment), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    return Running(lane, process, rows, log)


def stop(one: Running) -> None:
    """End a lane and everything that its process group holds; runs end with the process that started them."""
    if one.process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait()
    one.log.close()


def rows_of(one: Running) -> list[Row]:
    rows = read(one.rows)
    told = {row.part for row in rows}
    status = one.process.returncode
    if status:
        for part in one.lane.parts:
            if part not in told:
                rows.append(Row(FAILED, part, f"its process ended with exit status {status} before a word", part=part))
        if told and set(one.lane.parts) <= told:
            last = rows[-1].part
            rows.append(Row(FAILED, last, f"its process ended with exit status {status}", part=last))
    return rows
