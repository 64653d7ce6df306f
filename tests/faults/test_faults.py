"""The rules that the faults are held to are no empty ones."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults.kills import judge
from tests.faults.tally import Tally
from tests.faults.world import Ended


def judged(ended, before=(), now=(), wrong=(), stopped=True):
    world = SimpleNamespace(finished=lambda store: dict(now), wrong=lambda store: list(wrong))
    tally = Tally()
    tally.inject("kind")
    judge(world, tally, "kind", Path("store"), dict(before), ended, [], stopped=stopped)
    return {column for _, column in tally.bad}


@pytest.mark.parametrize(
    ("found", "columns"),
    [
        ({"ended": Ended(-9, "")}, set()),
        ({"ended": None}, {"unclear"}),
        ({"ended": Ended(1, "Traceback (most recent call last):")}, {"unclear"}),
        ({"ended": Ended(70, "")}, {"unclear"}),
        ({"ended": Ended(143, ""), "stopped": False}, {"unclear"}),
        ({"ended": Ended(0, ""), "wrong": ["a"]}, {"lost"}),
        ({"ended": Ended(1, ""), "wrong": ["a"]}, set()),
        ({"ended": Ended(-9, ""), "before": {"a": 1}}, {"lost"}),
        ({"ended": Ended(-9, ""), "before": {"a": 1}, "now": {"a": 2}}, {"repeated"}),
        ({"ended": Ended(-9, ""), "before": {"a": 1}, "now": {"a": 1, "b": 2}}, set()),
    ],
)
def test_a_disturbed_command_is_held_to_the_rules(found, columns):
    assert judged(**found) == columns


def test_the_table_counts_what_was_noted():
    tally = Tally()
    tally.inject("a kill")
    tally.inject("a kill")
    assert not tally.failed
    tally.note("a kill", "lost", "a run")
    assert tally.failed
    assert tally.lines == ["lost: a kill: a run"]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in tally.table().splitlines()]
    assert rows[2:] == [["a kill", "2", "1", "0", "0"], ["all", "2", "1", "0", "0"]]
