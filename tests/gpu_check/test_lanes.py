"""Whatever becomes of a part, the table says so."""

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.gpu_check import part
from tests.gpu_check.lanes import Lane, Running, rows_of
from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, OK, Row, read, write

PLAN = Plan("cpu", (), True, 1, 1.0, "folder", "out")


@pytest.fixture
def outcome(tmp_path, monkeypatch):
    """The rows of parts, given by their functions, each with half a second."""

    def run(**parts):
        for name, rows in parts.items():
            monkeypatch.setitem(sys.modules, f"tests.gpu_check.{name}", SimpleNamespace(rows=rows))
        plan, found = tmp_path / "plan.json", tmp_path / "rows.jsonl"
        plan.write_text(PLAN.to_json())
        part.main(str(plan), str(found), *(f"{name}=0.5" for name in parts))
        return read(found)

    return run


def test_a_plan_reaches_the_process_as_it_was(tmp_path):
    (tmp_path / "plan.json").write_text(PLAN.to_json())
    assert Plan.read(tmp_path / "plan.json") == PLAN


def test_a_part_that_breaks_or_takes_too_long_is_a_failure_and_the_next_one_goes_on(outcome):
    def breaks(plan):
        yield Row(OK, "first", "fine")
        raise ValueError("a bad\nthing")

    def hangs(plan):
        time.sleep(20)
        yield Row(OK, "late", "fine")

    def works(plan):
        yield Row(OK, "last", f"within {plan.seconds} s")

    rows = outcome(breaks=breaks, hangs=hangs, works=works)
    assert [(row.part, row.verdict, row.found) for row in rows] == [
        ("breaks", OK, "fine"),
        ("breaks", FAILED, "ValueError: a bad thing"),
        ("hangs", FAILED, "was not done within its 0 s"),
        ("works", OK, "within 0.5 s"),
    ]


def test_a_process_that_dies_is_a_failure_of_the_parts_that_it_did_not_report(tmp_path):
    rows = tmp_path / "rows.jsonl"
    write(Row(OK, "tv", "fine", part="contract"), rows)
    process = subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    process.wait()
    running = Running(Lane({"contract": 0.5, "training": 0.5}, 1), process, rows, (tmp_path / "log").open("wb"))
    running.log.close()
    found = rows_of(running)
    assert [(row.part, row.verdict) for row in found] == [("contract", OK), ("training", FAILED)]
    assert "exit status -9" in found[1].found
