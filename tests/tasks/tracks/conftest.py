"""Every track, and every track whose data are on this machine."""

import pytest
from every_track import TRACKS

from bench.contract.task import Track
from bench.task_checks.checks import lacking


@pytest.fixture(params=TRACKS)
def track(request) -> Track:
    return TRACKS[request.param]


@pytest.fixture(params=TRACKS)
def open_track(request) -> Track:
    """A track whose data are on this machine."""
    track = TRACKS[request.param]
    reason = lacking(track)
    if reason:
        pytest.skip(reason)
    return track
