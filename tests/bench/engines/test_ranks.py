"""A run on several devices ends in one clear line, within its time, when one of its processes dies or stops."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import toy

from bench.engines import worker
from bench.engines.worker import environments, watch
from bench.errors import BenchError
from bench.runs.run_directory import FAILURE, RESULT, SPEC

SLEEPS = "import time; time.sleep(60)"
OBEYS = f"from bench.engines.worker import end_on_sigterm; end_on_sigterm(); print(flush=True); {SLEEPS}"
# As Lightning does it: the signal is heard, and means nothing to a process that waits in a collective operation.
DEAF = OBEYS.replace("print", "import signal; signal.signal(signal.SIGTERM, lambda *_: None); print")


@pytest.fixture
def ranks():
    started = []

    def start(*codes):
        started.extend(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for code in codes)
        return started

    yield start
    for rank in started:
        rank.kill()
        rank.wait()
        rank.stdout.close()


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(worker, "LOOK", 0.02)
    monkeypatch.setattr(worker, "STOPPED", 10)
    monkeypatch.setattr(worker, "LAST", 0.3)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "rank 1 of 3: the process was killed by signal 9 (out of memory?)"),
        (signal.SIGTERM, "rank 1 of 3: the process was killed by signal 15"),
        (signal.SIGSTOP, "rank 1 of 3: the process was stopped"),
    ],
)
def test_a_rank_that_is_killed_or_stopped_ends_the_others(ranks, tmp_path, number, words):
    started = ranks(SLEEPS, SLEEPS, SLEEPS)
    started[1].send_signal(number)
    begun = time.monotonic()
    assert watch(started, tmp_path) == words
    assert time.monotonic() - begun < 10
    assert not any(map(psutil.pid_exists, [rank.pid for rank in started]))


@pytest.mark.parametrize("code", [OBEYS, DEAF])
def test_sigterm_ends_a_rank_that_waits_for_another(ranks, tmp_path, code):
    started = ranks(SLEEPS, code)
    started[1].stdout.readline()  # it listens
    started[1].terminate()
    assert watch(started, tmp_path) == "rank 1 of 2: the process was killed by signal 15"


def test_a_rank_that_goes_on_after_a_short_stop_is_no_fault(ranks, tmp_path):
    started = ranks("import time; time.sleep(1)")
    started[0].send_signal(signal.SIGSTOP)
    stopper = subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -CONT {started[0].pid}"])
    assert watch(started, tmp_path) == ""
    stopper.wait()


def test_ranks_that_end_well_have_no_fault(ranks, tmp_path):
    assert watch(ranks("", ""), tmp_path) == ""
    assert watch(ranks("raise SystemExit(3)"), tmp_path) == "rank 2 of 3: the process ended with exit status 3"


def test_ranks_that_wait_for_one_that_failed_are_ended_for_its_reason(ranks, tmp_path):
    """A collective operation on GPUs does not end with the process of a peer."""
    (tmp_path / FAILURE).write_text(json.dumps(["no weights", ""]))
    assert watch(ranks(SLEEPS, ""), tmp_path) == "no weights"


def test_ranks_that_work_on_after_the_result_are_ended(ranks, tmp_path):
    (tmp_path / RESULT).write_text("{}")
    assert watch(ranks(SLEEPS, ""), tmp_path) == ""


def test_each_rank_finds_its_part_in_its_environment(monkeypatch):
    monkeypatch.setenv("RANK", "7")
    one, two = environments(2)
    assert (one["LOCAL_RANK"], two["LOCAL_RANK"]) == ("0", "1")
    assert {name: value for name, value in one.items() if name != "LOCAL_RANK"} == {
        name: value for name, value in two.items() if name != "LOCAL_RANK"
    }
    assert one["WORLD_SIZE"] == "2"
    assert "RANK" not in one


@pytest.fixture
def spec(toys, store, shrink):
    return toy.spec(shrink, devices=2)


def as_rank(code):
    """The life of a rank: it is given its part, the spec and the run directory."""
    return [sys.executable, "-c", f"import os, sys; from pathlib import Path; rank = os.environ['LOCAL_RANK']; {code}"]


def test_a_launch_ends_for_the_rank_that_broke_whatever_another_has_written(spec, tmp_path, monkeypatch):
    """The connection that closed, in the words of a library, is no reason that a run tells."""
    failed = toy_result(spec, "RuntimeError: Connection closed by peer")
    code = f"(os._exit(3) if rank == '1' else Path(sys.argv[2], 'result.json').write_text({failed!r}))"
    monkeypatch.setattr(worker, "words", lambda *paths: [*as_rank(code), *map(str, paths)])
    with pytest.raises(BenchError, match=r"^rank 1 of 2: the process ended with exit status 3$"):
        worker.launch(spec, tmp_path)
    assert (tmp_path / SPEC).exists()


def test_a_rank_that_dies_after_the_result_costs_nothing(spec, tmp_path, monkeypatch):
    unsupported = toy_result(spec, "no", "unsupported")
    # Whole at once, as a run writes it: the first rank is ended as soon as the second one dies.
    code = f"(own := Path(sys.argv[2], rank), own.write_text({unsupported!r}), "
    code += "own.replace(Path(sys.argv[2], 'result.json')), os._exit(int(rank)))"
    monkeypatch.setattr(worker, "words", lambda *paths: [*as_rank(code), *map(str, paths)])
    worker.launch(spec, tmp_path)


def test_ranks_without_a_result_have_failed(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "words", lambda *paths: as_rank("0"))
    with pytest.raises(BenchError, match="the ranks ended without a result"):
        worker.launch(spec, tmp_path)


def toy_result(spec, reason, status="failed"):
    from bench.runs.outcomes import Outcome, make_result

    return make_result(spec, Outcome(status, reason), 1.0, {}).to_json()


def family(pid):
    return [one for one in psutil.Process(pid).children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_nothing_is_left_of_a_real_run_on_two_devices_when_its_command_is_asked_to_end(
    toys, store, untracked, tmp_path, monkeypatch
):
    """Each rank has a child of its own by then, which ends with it."""
    marks = tmp_path / "marks"
    marks.mkdir()
    body = f"import subprocess\nopen('{marks}/' + os.environ['LOCAL_RANK'], 'w').close()\n"
    body += "subprocess.run(['sleep', '60'])\nreturn y"
    slow = toy.method_file(tmp_path, "slow", body)
    words = [sys.executable, "-m", "bench.cli", "run", "toy", "-m", slow, "--devices", "2", "--cpu"]
    command = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ)
    try:
        toy.until(lambda: len(list(marks.iterdir())) == 2, 300)
        toy.until(lambda: sum(one.name() == "sleep" for one in family(command.pid)) == 2)
        begun, before = time.monotonic(), family(command.pid)
        command.terminate()
        output, _ = command.communicate(timeout=30)
        assert time.monotonic() - begun < 20
        assert output.decode().split("\n", 1)[-1].strip().endswith("the same command does the others.")
        assert b"Traceback" not in output
        assert command.returncode == 143
        toy.until(lambda: not [one for one in before if toy.alive(one.pid)], 10)
        assert not list((store / "runs").glob("[0-9a-f]*"))
    finally:
        command.kill()
        command.wait()
