"""A point of a curve: of a training, of an objective, of the machine's load."""

from typing import NamedTuple


class CurvePoint(NamedTuple):
    """``value`` at a ``step``; ``time`` in seconds since the epoch."""

    name: str
    step: int
    time: float
    value: float
