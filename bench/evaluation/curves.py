"""What a run tells while it works: points of curves, and pictures of a validation image as the method learns."""

from pathlib import Path
from typing import NamedTuple

LOOKS_FOLDER = "validation"  # of the pictures


class CurvePoint(NamedTuple):
    """``value`` at a ``step`` of a training, an objective or the machine's load; ``time`` in seconds since 1970."""

    name: str
    step: int
    time: float
    value: float


class Look(NamedTuple):
    """A picture of a validation image at a step of a training: ``<name of the image>/<step>.png``."""

    path: Path

    @property
    def step(self) -> int:
        return int(self.path.stem)

    @property
    def name(self) -> str:
        return self.path.parent.name
