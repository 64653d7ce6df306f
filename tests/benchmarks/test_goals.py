import math

import pytest

from tests.benchmarks import bench_start
from tests.benchmarks.__main__ import main
from tests.benchmarks.goals import falls_short, report


@pytest.mark.parametrize(
    ("goal", "met", "missed"),
    [
        ("at least 4", [4.0, 5.3], [3.99, -5.0]),
        ("at least -0.03", [-0.03, 0.2], [-0.031]),
        ("at most 8", [8.0, 4.1], [8.01]),
        ("above 1", [1.01], [1.0, 0.5]),
    ],
)
def test_a_ratio_meets_its_goal_or_falls_short(goal, met, missed):
    assert not any(falls_short(ratio, goal) for ratio in met)
    assert all(falls_short(ratio, goal) for ratio in [*missed, math.nan])


def test_a_skipped_row_has_no_goal_to_miss():
    assert not falls_short(math.nan, "")


def test_a_goal_that_cannot_be_judged_is_an_error():
    with pytest.raises(KeyError):
        falls_short(1.0, "about 0")


def test_the_table_marks_what_falls_short_and_no_other_row(capsys):
    assert not report([("a slow row", 7.0, "at least 8"), ("quick", 9.0, "at least 8")])
    slow, quick = capsys.readouterr().out.splitlines()[1:]
    assert "falls short" in slow
    assert "a slow row" in slow
    assert "falls short" not in quick
    assert report([("quick", 9.0, "at least 8"), ("skipped", math.nan, "")])


@pytest.mark.parametrize(("ratio", "status"), [(9.0, 0), (7.0, 1)])
def test_the_exit_status_tells_whether_a_row_falls_short(monkeypatch, ratio, status):
    monkeypatch.setattr(bench_start, "main", lambda: [("a row", ratio, "at least 8")])
    assert main(["start"]) == status


def test_an_unknown_part_is_named(capsys):
    assert main(["fast"]) == 2
    assert "fast" in capsys.readouterr().err
