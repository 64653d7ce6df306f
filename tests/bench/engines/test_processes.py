"""Processes start from a server that never touches CUDA, in an environment that decides nothing."""

import io
import multiprocessing
import os
import signal
import subprocess
import sys

import psutil
import pytest
import toy

from bench import settings
from bench.engines import processes
from bench.engines.processes import BLIND, clean, context, end, how_it_ended
from bench.errors import BenchError
from bench.places import ROOT
from bench.settings import processors, threads


def test_processes_are_never_forked_from_the_command():
    assert context().get_start_method() == processes.START_METHOD
    assert multiprocessing.get_context(processes.START_METHOD).get_start_method() != "fork"


def test_starting_the_server_leaves_the_environment_as_it_was(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    monkeypatch.setenv("SLURM_NTASKS", "2")
    before = dict(os.environ)
    context()
    assert dict(os.environ) == before


# CUDA that breaks when it is touched, and remembers it: whoever touches it may catch the error.
TRAP = """
import torch

touches = []

def touched(*arguments, **options):
    touches.append(arguments)
    raise RuntimeError("CUDA was initialised")

torch.cuda._lazy_init = touched
for name in ("_cuda_init", "_cuda_getDeviceCount"):
    if hasattr(torch._C, name):
        setattr(torch._C, name, touched)
"""
MACHINE_WITH_A_GPU = "torch.cuda.is_available, torch.cuda.device_count = lambda: True, lambda: 1\n"


def import_preload(code: str) -> subprocess.CompletedProcess[str]:
    """The imports of the server, in a fresh interpreter with its environment."""
    environment = clean(os.environ) | BLIND | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "BENCH_TRACKING": "off"}
    words = [sys.executable, "-c", TRAP + code + "import bench.engines.server_imports\nprint('touches', len(touches))"]
    return subprocess.run(words, env=environment, capture_output=True, text=True)


def test_what_the_server_imports_does_not_initialise_cuda():
    done = import_preload("")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("touches 0\n")


@pytest.mark.slow
def test_the_test_above_can_fail():
    """Where a GPU is seen, importing deepinv initialises CUDA."""
    done = import_preload(MACHINE_WITH_A_GPU)
    assert "CUDA was initialised" in done.stderr


def test_the_server_holds_the_heavy_libraries_and_no_method():
    code = "import sys\nvalue = [name for name in sys.modules]"
    from bench.engines.local import LocalEngine

    loaded = set(LocalEngine(1).call(toy.chore, code, seconds=60.0).value)
    assert {"torch", "deepinv", "pytorch_lightning", "optuna", "bench.runs.run"} <= loaded
    assert not [name for name in loaded if name.startswith(("baselines", "tasks."))]


def test_variables_of_launchers_are_left_out_and_others_are_kept():
    given = {"SLURM_JOB_ID": "1", "LOCAL_RANK": "0", "RANK": "1", "WORLD_SIZE": "2", "HOME": "/x", "RANKING": "y"}
    found = clean(given)
    assert {"HOME"} <= set(found)
    assert not {"SLURM_JOB_ID", "LOCAL_RANK", "RANK", "WORLD_SIZE"} & set(found)
    assert found["PYTHONHASHSEED"] == "0"


def test_a_run_has_one_thread_unless_told_otherwise(monkeypatch):
    assert threads() == 1
    assert clean({"OMP_NUM_THREADS": "8"})["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("BENCH_THREADS", "3")
    assert threads() == 3
    assert clean({})["OMP_NUM_THREADS"] == "3"
    for text in ("0", "-1", "many"):
        monkeypatch.setenv("BENCH_THREADS", text)
        with pytest.raises(BenchError, match="is not a positive whole number"):
            threads()


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)]
)
def test_a_containers_quota_counts(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(settings, "open", lambda *a, **k: io.StringIO(quota + "\n"), raising=False)
    assert processors() == expected


def test_without_affinity_or_quota_all_processors_count(monkeypatch):
    """As on macOS."""

    def absent(*arguments, **options):
        raise FileNotFoundError

    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(settings, "open", absent, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processors() == 6


def test_an_end_is_told_in_words():
    assert how_it_ended(1) == "the process ended with exit status 1"
    assert how_it_ended(-signal.SIGSEGV) == "the process was killed by signal 11"
    assert how_it_ended(-signal.SIGKILL) == "the process was killed by signal 9 (out of memory?)"


def test_processes_and_their_children_end_with_the_command(tmp_path):
    """Killed by the signal that nothing can answer."""
    pid = tmp_path / "pid"
    code = (
        "import os, subprocess, time\nchild = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(pid)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')\ntime.sleep(60)"
    )
    command = (
        "from bench.engines import processes\nprocesses.PRELOADED = []\n"
        "from bench.engines.local import LocalEngine\nimport toy\n"
        f"LocalEngine(1).call(toy.chore, {code!r}, seconds=60.0)"
    )
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(toy.HOME)])}
    process = subprocess.Popen([sys.executable, "-c", command], env=environment)
    toy.until(lambda: pid.exists() and pid.read_text().endswith(" "))
    process.kill()
    process.wait()
    found = [int(number) for number in pid.read_text().split()]
    assert len(found) == 2
    toy.until(lambda: not any(map(toy.alive, found)))


def test_ending_a_process_that_is_gone_is_no_error():
    process = multiprocessing.get_context("spawn").Process(target=psutil.pid_exists, args=(1,))
    process.start()
    process.join()
    end(process)
