"""Journals: what a run at work tells, without waiting for anybody."""

import json
import os
import time
from pathlib import Path

import pytest

from bench.evaluation.curves import CurvePoint, Look
from bench.evaluation.tune import Trial
from bench.tracking import journal


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    monkeypatch.setattr(journal, "EVERY", 0.01)
    monkeypatch.setattr(journal, "available", lambda: True)


def lines(path):
    return journal.read(path, 0)[0] if path.exists() else []


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_points_trials_and_pictures_are_told_in_their_order():
    path = journal.path_of("abc")
    with journal.Writer(path) as writer:
        for step in range(100):
            writer.take(CurvePoint("loss", step, 5.0 + step, 1 / (step + 1)))
        writer.take(Look(Path("validation/val-0/40.png")))
        writer.take(Trial(0, {"lam": 0.1}, 27.5, 1.0, "ok"))
        until(lambda: any(line["trials"] for line in lines(path)))
    points = [CurvePoint(*point) for line in lines(path) for point in line["points"]]
    assert points == [CurvePoint("loss", step, 5.0 + step, 1 / (step + 1)) for step in range(100)]
    assert [look for line in lines(path) for look in line["looks"]] == ["validation/val-0/40.png"]
    (trial,) = [trial for line in lines(path) for trial in line["trials"]]
    assert (trial["hyperparameters"], trial["score"], trial["state"]) == ({"lam": 0.1}, 27.5, "ok")


def test_a_run_is_never_stopped_by_its_journal(tmp_path):
    """Its folder is a file: nothing can be written."""
    (tmp_path / "live").write_text("")
    with journal.Writer(journal.path_of("abc")) as writer:
        writer.take(CurvePoint("loss", 0, 0.0, 1.0))
        time.sleep(0.05)
    journal.end("abc", "")
    assert (tmp_path / "live").read_text() == ""


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "abc.jsonl"
    path.write_bytes(b'{"ended": ""}\n{"points": [["lo')
    found, offset = journal.read(path, 0)
    assert (found, offset) == ([{"ended": ""}], 14)
    path.write_bytes(path.read_bytes() + b'ss", 1, 2.0, 3.0]]}\ngarbage\n')
    found, offset = journal.read(path, offset)
    assert found == [{"points": [["loss", 1, 2.0, 3.0]]}]
    assert journal.read(path, offset) == ([], offset)


def test_processes_of_a_command_know_its_comparison(monkeypatch):
    monkeypatch.delenv(journal.COMPARISON, raising=False)
    with journal.comparison("bench run denoising -m tv"):
        told = json.loads(os.environ[journal.COMPARISON])
        assert told["command"] == "bench run denoising -m tv"
        assert journal.held(journal.folder() / f"{told['id']}{journal.COMMANDS}")
    assert journal.COMPARISON not in os.environ
    assert not list(journal.folder().iterdir())
