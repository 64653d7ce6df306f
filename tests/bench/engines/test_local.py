"""A piece of work has a process of its own: however that one ends, it costs its own task alone."""

import signal
import sys
import time
from multiprocessing import Pipe
from types import SimpleNamespace

import pytest
import toy

from bench.engines import local
from bench.engines.local import LocalEngine, Task
from bench.engines.processes import stop_on_signals


def chore(code: str, seconds: float = 30.0, name: str = "chore", devices: int = 1) -> Task:
    return Task(name, toy.chore, (code,), seconds, devices)


def test_a_value_comes_back():
    ended = LocalEngine(1).call(toy.chore, "value = {'a': 3}", seconds=30.0)
    assert (ended.value, ended.error) == ({"a": 3}, "")
    assert ended.seconds < 30


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise ValueError('one\\ntwo')", "ValueError: one two"),
        ("from bench import BenchError\nraise BenchError('one line.')", "one line."),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os\nos._exit(0)", "the process ended with exit status 0"),
        ("import os\nos._exit(3)", "the process ended with exit status 3"),
        ("import os\nos.kill(os.getpid(), 9)", "the process was killed by signal 9 (out of memory?)"),
        ("import os\nos.kill(os.getpid(), 15)", "the process was killed by signal 15"),
        ("import threading\nvalue = threading.Lock()", "TypeError: cannot pickle '_thread.lock' object"),
    ],
)
def test_an_end_without_a_value_is_told_in_words_and_the_others_go_on(code, error, capfd):
    found = {ended.task.name: ended for ended in LocalEngine(2).work([chore(code, name="bad"), chore("value = 1")])}
    assert (found["bad"].error, found["bad"].value) == (error, None)
    assert (found["chore"].error, found["chore"].value) == ("", 1)


def test_work_that_goes_over_its_time_is_ended_with_what_it_has_started(tmp_path):
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)"
    )
    (ended,) = LocalEngine(1).work([chore(code, seconds=1.0)])
    assert ended.error == "it went over its time of 1 s"
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    toy.until(lambda: not any(map(toy.alive, found)))


def test_what_ends_well_ends_with_what_it_has_started_too(tmp_path):
    code = "import subprocess\nvalue = subprocess.Popen(['sleep', '60']).pid"
    (ended,) = LocalEngine(1).work([chore(code)])
    toy.until(lambda: not toy.alive(ended.value))


def test_a_child_that_holds_the_connection_does_not_hold_up_the_end():
    start = time.monotonic()
    code = "import os, time\nif os.fork() == 0:\n    time.sleep(60)\n    os._exit(0)\nos._exit(4)"
    (ended,) = LocalEngine(1).work([chore(code)])
    assert ended.error == "the process ended with exit status 4"
    assert time.monotonic() - start < 30


def test_when_the_caller_leaves_everything_at_work_is_ended(tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    engine = LocalEngine(2)
    ends = engine.work([chore(code, name="long"), chore(f"import os\nwhile not os.path.exists({str(pid)!r}): pass")])
    next(ends)
    toy.until(lambda: pid.read_text())
    assert toy.alive(int(pid.read_text()))
    ends.close()
    assert not toy.alive(int(pid.read_text()))
    assert engine.working == {}


def test_no_more_work_is_begun_than_there_is_room_for():
    asked = []

    def tasks():
        for index in range(4):
            asked.append(index)
            yield chore("value = 1", name=str(index))

    ends = LocalEngine(2).work(tasks())
    next(ends)
    assert asked == [0, 1]
    assert len(list(ends)) == 3


def test_stages_are_heard(tmp_path):
    engine, go_on, seen = LocalEngine(1), tmp_path / "go_on", set()

    def look():
        seen.update(one.stage for one in engine.working.values())
        if "half way" in seen:
            go_on.touch()

    code = f"import os, time\nreport('half way')\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    (ended,) = engine.work([chore(code)], look)
    assert ended.error == ""
    assert "half way" in seen


def test_processes_share_nothing():
    """Each is forked from a server that has done no work: not from one another, nor from this process."""
    meddle = (
        "import os, random, sys, types, torch\n"
        "os.environ['MEDDLED'] = '1'; torch.set_default_dtype(torch.float64); torch.set_num_threads(3)\n"
        "torch.use_deterministic_algorithms(True); sys.modules['helpers'] = types.ModuleType('helpers')"
    )
    look = (
        "import os, sys, torch\n"
        "value = ('MEDDLED' in os.environ, str(torch.get_default_dtype()), torch.get_num_threads(),\n"
        "         torch.are_deterministic_algorithms_enabled(), 'helpers' in sys.modules)"
    )
    engine = LocalEngine(1)
    (_, ended) = engine.work([chore(meddle), chore(look)])
    assert ended.value == (False, "torch.float32", 1, False, False)


def test_the_environment_of_the_command_reaches_its_processes(monkeypatch):
    """Though the server was started long ago, in another."""
    monkeypatch.setenv("TOY_WORD", "here")
    monkeypatch.setenv("BENCH_THREADS", "2")
    for name in ("SLURM_NTASKS", "LOCAL_RANK", "WORLD_SIZE", "RANK", "MASTER_ADDR"):
        monkeypatch.setenv(name, "3")
    (ended,) = LocalEngine(1).work([chore("import os, torch\nvalue = dict(os.environ), torch.get_num_threads()")])
    environment, threads = ended.value
    assert environment["TOY_WORD"] == "here"
    assert (environment["OMP_NUM_THREADS"], threads) == ("2", 2)
    assert not {"SLURM_NTASKS", "LOCAL_RANK", "WORLD_SIZE", "RANK", "MASTER_ADDR"} & set(environment)


def test_a_signal_of_the_terminal_is_the_commands_affair():
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nvalue = os.getsid(0) == os.getpid()"
    (ended,) = LocalEngine(1).work([chore(code)])
    assert (ended.error, ended.value) == ("", True)


@pytest.mark.parametrize(
    ("size", "visible", "devices", "expected"),
    [
        (3, ("4", "6"), 1, {"4", "6"}),
        (1, ("4", "6"), 2, {"4,6"}),
        (2, ("GPU-a", "GPU-b", "GPU-c", "GPU-d"), 2, {"GPU-a,GPU-b", "GPU-c,GPU-d"}),
    ],
)
def test_runs_share_the_gpus(monkeypatch, size, visible, devices, expected):
    """What each process would see; none is started."""
    seen = []

    class Process:
        exitcode, pid = 0, 2**22 + 1

        def __init__(self, target, args):
            seen.append(args[2]["CUDA_VISIBLE_DEVICES"])

        def start(self):
            pass

        def join(self, seconds=None):
            pass

    monkeypatch.setattr(local, "end", lambda process: None)
    monkeypatch.setattr(local, "context", lambda: SimpleNamespace(Pipe=Pipe, Process=Process))
    list(LocalEngine(size, visible).work([chore("", name=str(index), devices=devices) for index in range(size)]))
    assert len(seen) == size
    assert set(seen) == expected


def test_a_process_that_stops_is_ended_at_its_time():
    (ended,) = LocalEngine(1).work([chore("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", seconds=1.0)])
    assert ended.error == "it went over its time of 1 s"


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_whose_exception_was_lost_stops_the_work_all_the_same(number, error, signals):
    """Python prints and drops an exception in a callback: a signal may come there."""
    stop_on_signals()
    with pytest.raises(error):
        signal.raise_signal(number)
    with pytest.raises(error):  # here the first one is lost
        list(LocalEngine(1).work([]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_callback_prints_no_traceback(number, signals, capfd, monkeypatch):
    class Garbage:
        def __del__(self):
            signal.raise_signal(number)

    class Broken:
        def __del__(self):
            raise ValueError("another one")

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # pytest's own turns it into a warning
    stop_on_signals()
    Garbage()
    assert capfd.readouterr().err == ""
    Broken()
    assert "ValueError: another one" in capfd.readouterr().err
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        list(LocalEngine(1).work([]))
