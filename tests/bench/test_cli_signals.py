"""Ctrl-C and SIGTERM, several in a row: the command stops with one line, leaves no process, and keeps what it wrote."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe

import psutil
import pytest
import toy

from bench.engines import pending_runs, processes
from bench.engines.processes import context, stop_on_signals
from bench.runs.records import Result

pytestmark = pytest.mark.usefixtures("ready")
INT, TERM = signal.SIGINT, signal.SIGTERM
LINE = "bench: stopped; finished runs are kept, the same command does the others."
SOON = 5.0  # seconds, even on a busy machine; the imports of the server take longer


def members(session: int) -> list[psutil.Process]:
    """The processes of a session that are alive."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            pass
    return found


@pytest.fixture
def starting(tmp_path):
    """`bench run` in a session of its own, while its server imports."""
    path = toy.method_file(tmp_path, "sleeps", "time.sleep(600)")
    words = [sys.executable, "-m", "bench.cli", "run", "toy", "-m", path, "--cpu"]
    command = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    toy.until(lambda: any("forkserver" in " ".join(one.cmdline()) for one in psutil.Process(command.pid).children()))
    yield command
    command.kill()
    command.communicate()


@pytest.mark.parametrize(
    ("send", "numbers"),
    [(os.kill, (INT,)), (os.kill, (INT, TERM)), (os.kill, (TERM, INT, TERM)), (os.killpg, (INT, INT))],
    ids=["one", "two", "three", "of a terminal"],
)
def test_signals_while_the_command_starts_are_one_line_at_once(starting, send, numbers):
    sent = time.monotonic()
    for number in numbers:
        send(starting.pid, number)
    out, err = starting.communicate()
    assert time.monotonic() - sent < SOON
    assert starting.returncode in ((130, 143) if numbers[0] == TERM else (130,))
    assert (out, err.splitlines()) == ("", ["bench: preparing 1 method on 1 track", LINE])
    toy.until(lambda: not members(starting.pid), SOON)


def interrupted(words: list[str], environment: dict[str, str], error: str) -> None:
    """The life of a `bench run` that gets signals while it writes the record of a run whose process has died."""
    from bench.engines import execute
    from bench.runs import outcomes

    os.dup2(os.open(error, os.O_WRONLY | os.O_CREAT), 2)

    def failed_result(*arguments):
        for number in (INT, TERM, INT):
            signal.raise_signal(number)
        return outcomes.failed_result(*arguments)

    execute.failed_result = failed_result
    toy.typed(words, environment)


def test_signals_while_a_run_is_written_lose_no_finished_one(ready, tmp_path):
    good = toy.method_file(tmp_path, "good", "return y")
    done, pid = f"glob.glob({str(ready / 'runs' / '[0-9a-f]*' / 'result.json')!r})", str(tmp_path / "pid")
    early = f"len({done}) < 2 or not os.path.exists({pid!r})"
    dies = toy.method_file(tmp_path, "dies", f"while {early}:\n    time.sleep(0.01)\nos._exit(3)")
    hangs = toy.method_file(tmp_path, "hangs", f"open({pid!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    words = ["run", "toy", "-m", good, "-m", dies, "-m", hangs, "--seed", "0", "1", "--jobs", "6", "--cpu"]
    command = context().Process(target=interrupted, args=(words, dict(os.environ), str(tmp_path / "err")))
    command.start()
    command.join(60)
    assert command.exitcode == 130
    assert (tmp_path / "err").read_text().splitlines()[-1] == LINE
    assert "Traceback" not in (tmp_path / "err").read_text()
    found = [Result.read(path) for path in (ready / "runs").glob("[0-9a-f]*/result.json")]
    assert sorted((one.method, one.status) for one in found if one.method == "good") == 2 * [("good", "ok")]
    assert not list((ready / "runs").glob(".tmp-*"))
    toy.until(lambda: not toy.alive(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize("numbers", [(INT, TERM), (TERM, INT), (INT, INT, INT)])
def test_one_exception_is_raised_however_many_signals_come(numbers):
    stop_on_signals()
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        signal.raise_signal(numbers[0])
    for number in numbers[1:]:
        signal.raise_signal(number)


def test_where_the_exception_was_lost_the_next_signal_raises_one():
    class Garbage:
        def __del__(self):
            signal.raise_signal(INT)

    stop_on_signals()
    Garbage()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(INT)
    signal.raise_signal(INT)


def test_a_second_signal_ends_the_wait_for_mlflow(lines):
    answers, _silent = Pipe(duplex=False)
    _listens, stop = Pipe(duplex=False)
    processes._stop.signals += [INT, INT]
    begun = time.monotonic()
    pending_runs.wait_for(answers, stop, lines.append)
    assert time.monotonic() - begun < SOON
    assert lines == []
