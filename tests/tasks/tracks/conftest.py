"""Every track, and every track whose data are on this machine."""

from functools import cache

import pytest
from every_track import TRACKS

from bench.contract.task import Track
from bench.data.manifest import check


@cache
def lacking(name: str) -> bool:
    return any(problem.endswith("is missing") for problem in check(name))


@pytest.fixture(params=TRACKS)
def track(request) -> Track:
    return TRACKS[request.param]


@pytest.fixture(params=TRACKS)
def open_track(request) -> Track:
    """A track whose data are on this machine."""
    track = TRACKS[request.param]
    missing = [name for name in track.data if lacking(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: set BENCH_DATA or run `bench data get`")
    return track
