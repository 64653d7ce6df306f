"""A hyperparameter that is one of a few words."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import BenchError

DATA = ("matched", "gaussian")  # data terms: the likelihood of the declared noise, or least squares for any noise


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    """``value``; raises `BenchError` where it is none of ``choices``."""
    if value not in choices:
        raise BenchError(f"{name}={value} is not one of {', '.join(choices)}.")
    return value
