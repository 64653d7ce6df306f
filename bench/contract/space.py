"""Ranges of hyperparameters: declared by methods and tracks, searched by `bench.evaluation.tune`."""

from dataclasses import dataclass
from math import log
from typing import Any

EDGE = 0.02  # share of a range, at either end, in which a chosen value says that the range is too narrow


@dataclass(frozen=True)
class Float:
    """A real number in [low, high], searched on a logarithmic scale if ``log``."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high], searched on a logarithmic scale if ``log``."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]


Range = Float | Int | Choice


def contains(values: Range, value: Any) -> bool:
    """Whether ``value`` lies in the range."""
    return value in values.values if isinstance(values, Choice) else values.low <= value <= values.high


def at_edge(value: Any, values: Range) -> bool:
    """Whether a chosen ``value`` lies within 2 % of an end of its range, on the scale on which the range is searched.

    A value beyond the range is at its edge too. A `Choice` has no edge, nor has a range of one value.
    """
    if isinstance(values, Choice) or values.low == values.high:
        return False
    if not values.low <= value <= values.high:
        return True
    low, high, chosen = (log(v) if values.log else v for v in (values.low, values.high, value))
    return not EDGE < (chosen - low) / (high - low) < 1 - EDGE
