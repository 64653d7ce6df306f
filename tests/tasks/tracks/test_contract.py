"""Every task keeps the contract that ``bench check TASK`` puts it to."""

import pytest
from every_track import TRACKS, opened

from bench.contract import registry
from bench.task_checks.checks import DECLARATION_CHECKS, FINDING_CHECKS, TRACK_CHECKS
from bench.task_checks.declaration import has_its_names


@pytest.mark.parametrize("task", registry.tasks())
def test_a_task_and_its_tracks_have_their_names(task):
    has_its_names(task, registry.load_task(task))


@pytest.mark.parametrize("check", DECLARATION_CHECKS)
def test_a_track_is_declared_well(track, check):
    DECLARATION_CHECKS[check](opened(track.id))


@pytest.mark.parametrize("check", TRACK_CHECKS)
def test_a_track_keeps_the_contract(open_track, check):
    TRACK_CHECKS[check](opened(open_track.id))


@pytest.mark.parametrize("open_track", [name for name, track in TRACKS.items() if track.classes], indirect=True)
@pytest.mark.parametrize("check", FINDING_CHECKS)
def test_a_track_of_findings_keeps_the_contract(open_track, check):
    FINDING_CHECKS[check](opened(open_track.id))
