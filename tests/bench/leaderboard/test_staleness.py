"""A score is current if the method's code, the protocol and the track are those that are here."""

import dataclasses

import pytest
from fabricate import PROTOCOL, result, sources

from bench.leaderboard import staleness as module
from bench.leaderboard.staleness import staleness


def test_a_score_of_the_code_that_is_here_is_current(now):
    assert staleness(result("tv"), now) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sources": sources("tv") | {"baselines/solvers/admm.py": "0" * 16}}, "code of the method"),
        ({"code": "0" * 16}, "code of the method"),
        ({"protocol_version": PROTOCOL - 1}, "referee's protocol"),
        ({"task_version": 2}, "version 2 of the track, now 1"),
        ({"scored": "0" * 8}, "track has changed"),
    ],
)
def test_a_score_of_other_code_is_not(now, changes, told):
    assert told in staleness(result("tv", **changes), now)


def test_a_method_of_the_suite_that_is_gone_is_stale(now):
    gone = dataclasses.replace(now, sources=lambda method: None)
    assert "no longer here" in staleness(result("l2"), gone)


def test_a_track_that_is_gone_is_stale(now):
    gone = dataclasses.replace(now, track=lambda name, learned: module.GONE)
    assert "track is no longer here" in staleness(result("tv"), gone)


def test_a_method_from_elsewhere_stands_by_its_kept_hash(now):
    gone = dataclasses.replace(now, sources=lambda method: None)
    mine = result("mine", sources={"mine.py": "0" * 16, "baselines/solvers/admm.py": "1" * 16})
    assert module.is_external(mine)
    assert staleness(mine, gone) == ""


def test_a_track_from_elsewhere_is_not_checked(now):
    assert staleness(result("tv", task="toy", task_version=7), now) == ""


def test_the_code_of_this_installation_is_its_own():
    here = module.here()
    found = here.sources("tv")
    assert "baselines/handcrafted/tv.py" in found
    assert here.sources("no_such_method") is None
    version, scored = here.track("denoising:mini", False)
    assert here.track("denoising:none", False) == module.GONE
    assert here.track("no_such_task:mini", False) is None
    assert "tv" in here.methods()
    row = result("tv", sources=dict(found), code=here.code(found), protocol_version=here.protocol)
    row = row.model_copy(update={"task_version": version, "scored": scored})
    assert staleness(row, here) == ""
    assert staleness(row.model_copy(update={"code": "0" * 16}), here)


def test_other_code_of_a_task_from_elsewhere_is_stale(now):
    here = dataclasses.replace(now, task_code=lambda task: "a" * 20)
    assert staleness(result("tv", task_code="a" * 20), here) == ""
    assert staleness(result("tv", task_code="b" * 20), here) == "stale: the code of the task has changed since"
    assert staleness(result("tv", task_code="b" * 20), now) == ""  # its source is not at hand


def test_a_pair_is_from_elsewhere_where_its_inner_method_is():
    ours = {"baselines/raw_to_task/two_stage.py": "0" * 16}
    inner = {"baselines/handcrafted/tv.py": "1" * 16}
    assert not module.is_external(result("two_stage+tv", sources=ours | inner))
    assert module.is_external(result("two_stage+tv", sources=ours | {"tv.py": "1" * 16}))
