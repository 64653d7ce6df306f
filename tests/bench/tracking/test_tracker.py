"""The tracker of a command: runs reach MLflow while they work, and wait for no server."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe

import pytest
import toy

from bench.engines import pending_runs
from bench.runs.store import hold
from bench.tracking import address, database, journal, tracker
from bench.tracking.tracker import Tracker


@pytest.fixture
def environment(toys, store, template, monkeypatch):
    """Commands in processes of their own find the toys and the store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("BENCH_TRACKING", raising=False)
    return store


def command(*words):
    words = [sys.executable, "-m", "bench.cli", "run", "toy", "--cpu", "--jobs", "1", *words]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def rows(store, query):
    if not (store / "mlflow.db").exists():
        return []
    with contextlib.closing(sqlite3.connect(store / "mlflow.db")) as connection:
        return connection.execute(query).fetchall()


def states(store):
    return rows(
        store,
        "SELECT t.value, r.status FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'bench.kind'"
        " WHERE r.lifecycle_stage = 'active' ORDER BY 1, 2",
    )


def until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_run_is_seen_while_it_works_and_closed_after_a_kill(environment, tmp_path):
    """Seen as running with the load of the machine; the next command closes it and does it again."""
    gate = tmp_path / "gate"
    body = f"import time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\nreturn y"
    path = toy.method_file(tmp_path, "waits", body)
    process = command("-m", str(path), "--limit", "1")
    until(lambda: ("run", "RUNNING") in states(environment))
    until(lambda: rows(environment, "SELECT 1 FROM metrics WHERE key = 'system/cpu_percent'"))
    assert ("comparison", "RUNNING") in states(environment)
    process.kill()
    process.communicate()
    gate.touch()
    process = command("-m", str(path), "--limit", "1")
    out, _ = process.communicate()
    assert process.returncode == 0
    assert "psnr" in out
    assert "not tracked" not in out
    assert states(environment) == [("comparison", "FINISHED"), ("comparison", "KILLED"), ("run", "FINISHED")]
    assert [path.name for path in (environment / "live").iterdir()] == [".lock"]


def test_what_a_killed_command_left_as_running_is_ended_when_the_dashboard_opens(store, runs_of, header):
    path = journal.path_of("a" * 12)
    path.parent.mkdir()
    path.write_text(json.dumps({"header": header()}) + "\n")
    Tracker().look()
    assert [run.info.status for run in runs_of("tags.`bench.kind` = 'run'")] == ["RUNNING"]
    with tracker.turn() as mine:
        assert mine()
        tracker.settle(print)  # another tracker is at work: it will see to it
        assert [run.info.status for run in runs_of("tags.`bench.kind` = 'run'")] == ["RUNNING"]
    tracker.settle(print)
    assert [run.info.status for run in runs_of("tags.`bench.kind` = 'run'")] == ["KILLED"]
    assert not path.exists()


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_running(environment, tmp_path):
    path = toy.method_file(tmp_path, "sleeps", "import time\ntime.sleep(600)")
    process = command("-m", str(path), "--limit", "1")
    until(lambda: ("run", "RUNNING") in states(environment))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert dict(states(environment))["run"] == "KILLED"
    assert "RUNNING" not in dict(states(environment)).values()


@pytest.mark.slow
def test_a_server_that_never_answers_slows_no_run_and_gets_its_runs_later(environment, tmp_path, monkeypatch):
    path = toy.method_file(tmp_path, "quick", "return y")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        process = command("-m", str(path), "--seed", "0", "1", "2", "--limit", "1")
        out, _ = process.communicate()
    assert process.returncode == 0
    assert out.count("psnr") == 3
    assert out.count("not tracked") == 1
    assert out.count("\n") == 5  # the first says what is prepared
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    out, _ = command("-m", str(path), "--seed", "0", "1", "2", "--limit", "1").communicate()
    assert out.splitlines()[1:] == ["3 of 3 done, 0 to go"]
    assert len(database.held()) == 3
    assert [state for state in states(environment) if state[0] == "run"] == 3 * [("run", "FINISHED")]


class Follower:
    """Fails as often as it is told, and counts how often it is asked."""

    def __init__(self, failures):
        self.failures, self.asked = failures, 0

    def look(self):
        self.asked += 1
        if self.asked <= self.failures:
            raise address.Away("no server")
        return False


@pytest.fixture
def quiet(store, monkeypatch):
    """A tracker whose reports are kept, on a store without runs."""
    lines = []
    made = Tracker(lines.append)
    made.lines = lines
    return made


def test_a_server_that_is_away_is_told_once_and_asked_seldom(quiet, monkeypatch):
    quiet.follower = Follower(2)
    for _ in range(5):
        assert not quiet.look()
    assert quiet.follower.asked == 1
    monkeypatch.setattr(tracker.time, "monotonic", lambda: quiet.away_until + 1)
    quiet.look()
    assert quiet.follower.asked == 2
    assert quiet.lines == ["not tracked: no server. Runs are kept and sent later."]


def test_one_tracker_follows_the_runs_of_a_store(store):
    with tracker.turn() as first, tracker.turn() as second:
        assert first()
        assert not second()
        assert first()
    with tracker.turn() as third:
        assert third()


def test_a_command_does_not_wait_for_a_tracker_that_hangs(monkeypatch):
    monkeypatch.setattr(pending_runs, "PATIENCE", 0.2)
    told, sender = Pipe(duplex=False)
    receiver, stop = Pipe(duplex=False)
    lines = []
    for _ in range(3):
        sender.send(("stage", "handed in"))
    start = time.monotonic()
    pending_runs.wait_for(told, stop, lines.append)
    assert time.monotonic() - start < 2
    assert lines == ["not tracked: MLflow does not answer. The runs are kept and sent later."]
    assert receiver.poll()
    threading.Timer(0.1, sender.send, [("value", "")]).start()
    lines.clear()
    pending_runs.wait_for(told, stop, lines.append)
    assert lines == []


def test_nothing_is_started_where_there_is_nothing_to_hand_in(store, monkeypatch):
    monkeypatch.setattr(pending_runs, "context", lambda: pytest.fail("a process was started"))
    with pending_runs.track([]):
        assert journal.COMPARISON not in os.environ


def test_a_journal_of_a_process_at_work_is_left_alone(quiet, store):
    path = journal.path_of("a" * 12)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"points": []}) + "\n")
    quiet.follower = Follower(0)
    with hold(path.with_suffix(journal.RUNS)):
        assert not quiet.look(last=True)
    assert quiet.look(last=True)
