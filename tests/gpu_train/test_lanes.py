"""The time of a call is divided among its trainings, and the steps of one follow the pace that is seen."""

import threading
import time

import pytest

from tests.gpu_check.report import FAILED, NOTE, OK, Row
from tests.gpu_train.lanes import Lanes, share_of
from tests.gpu_train.pacing import SAFETY, TAIL, corrected, steps_within
from tests.gpu_train.trainings import TRAININGS

FOUR = TRAININGS[:4]


def test_shares_divide_the_time_of_all_lanes():
    assert share_of([400], [2, 1, 1]) == 200
    assert share_of([400, 400], [2, 1, 1]) == 400
    assert share_of([300, 100], [1, 1]) == 200
    assert share_of([100, 300], [1]) == 100  # the last one has at most its lane


def test_lanes_work_in_order_side_by_side_and_a_failure_costs_its_own_rows():
    both, names = threading.Barrier(2, timeout=5), []

    def work(training, deadline):
        names.append(training.name)
        if training in FOUR[:2]:
            both.wait()
        if training == FOUR[2]:
            raise ValueError("no luck")
        return [Row(OK, "training", f"{deadline - time.monotonic():.0f}")]

    rows = Lanes(FOUR, 2, time.monotonic() + 100).run(work)
    assert set(names[:2]) == {"dncnn", "tnrd"}
    assert [row.part for row in rows] == [one.name for one in FOUR]
    assert [row.verdict for row in rows] == [OK, OK, FAILED, OK]
    assert rows[2].found == "ValueError: no luck"
    assert 80 < float(rows[0].found) <= 91  # of 200 seconds in two lanes: 2.5 of 5.5, to whichever came first
    assert float(rows[3].found) > 95


def test_a_training_without_time_is_named():
    rows = Lanes(FOUR, 1, time.monotonic() + 1, least=2).run(lambda training, deadline: [])
    assert [(row.verdict, row.found) for row in rows] == [(NOTE, "no time was left")] * 4


def test_steps_fill_the_time():
    assert steps_within(TAIL + 100, 10, 50_000) == int(SAFETY * 1000)
    assert steps_within(TAIL + 100, 10, 500) == 500
    assert steps_within(10, 10, 500) == 20


@pytest.mark.parametrize(
    ("pace", "expected"),
    [(10.0, 1000), (14.0, 1000), (4.0, 390), (30.0, 3000), (2.0, 1000)],
)
def test_only_a_pace_that_is_far_off_starts_a_training_anew_if_that_is_worth_it(pace, expected):
    seconds = TAIL + 1000 / (SAFETY * 10) + 5
    found = corrected(1000, 10, pace, seconds, start=5, most=50_000)
    assert found == pytest.approx(expected, rel=0.06)
    assert corrected(1000, 10, 100.0, seconds, start=5, most=1000) == 1000
    assert corrected(640, 150, 19.0, seconds=32, start=35, most=50_000) == 640  # no time for another start
