"""The code as it is now, to the boards: made up, as the results of `fabricate` are."""

import dataclasses

import pytest
from fabricate import PROTOCOL, SCORED, code, sources

from bench.leaderboard.staleness import Now


@pytest.fixture
def now() -> Now:
    """Every method is here with the code that `fabricate` gives it, and `denoising:mini` is at version 1."""
    return Now(
        protocol=PROTOCOL,
        sources=sources,
        code=code,
        track=lambda name, learned: (1, SCORED) if name == "denoising:mini" else None,
        methods=lambda: {"direct": "handcrafted", "tv": "handcrafted"},
    )


@pytest.fixture
def version_2(now: Now) -> Now:
    """The track `denoising:mini` at version 2."""
    return dataclasses.replace(now, track=lambda name, learned: (2, SCORED))
