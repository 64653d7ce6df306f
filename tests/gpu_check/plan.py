"""The plan of one part, as its process reads it, and its time limit."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Plan:
    """Where a part works and for how long."""

    device: str  # cpu or cuda
    visible: tuple[str, ...]  # GPUs, as CUDA_VISIBLE_DEVICES names them
    short: bool
    jobs: int  # processes at a time
    seconds: float
    folder: str  # of this check: its store, its logs
    out: str  # where the archive goes

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, path: Path) -> Plan:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "visible": tuple(values["visible"])})


class OutOfTime(BaseException):
    """The time of a part is over. No `except Exception` on the way may stop it."""


AGAIN = 5.0  # seconds: an exception that is raised while Python collects garbage is lost


def stop_clock() -> None:
    """To be called where `OutOfTime` was caught."""
    signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` in the block when ``seconds`` are over, and again until the clock is stopped."""

    def stop(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1), AGAIN)
    try:
        yield
    finally:
        stop_clock()
        signal.signal(signal.SIGALRM, before)
