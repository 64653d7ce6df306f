"""Trainings that are counted: which ones, and that no start of another one disturbs the count."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from bench.contract import registry
from tests.gpu_check.surroundings import ROOT
from tests.gpu_check.training import Start, on_minis, on_real, standstill, wait_for_starts


def test_each_task_with_real_data_trains_one_method():
    chosen, missing = on_real(print)
    there = {(one.task, one.data) for one in registry.all_tracks() if one.data and not set(one.data) & set(missing)}
    assert len(chosen) == len(there)
    assert {(registry.track(track).task, registry.track(track).data) for _, track in chosen} == there
    assert all(method == "oracle" for method, track in chosen if registry.track(track).classes)


def test_each_learned_method_trains_on_a_mini_track():
    learned = {name for name in registry.methods() if registry.load_method(name).learned}
    assert {method for method, _ in on_minis((), print)} == learned
    assert [method for method, _ in on_minis(("unet",), print)] == ["unet"]


@pytest.fixture
def another(tmp_path):
    """The start of a training in another process."""
    words = "import sys, time; from pathlib import Path; from tests.gpu_check.training import Start;"
    words += "start = Start(Path(sys.argv[1])); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", words, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_count_begins_when_no_start_lasts(tmp_path, another):
    Start(tmp_path).over()
    end = time.monotonic() + 0.3
    wait_for_starts(tmp_path, end)
    assert time.monotonic() >= end
    os.kill(another.pid, signal.SIGKILL)  # it can say no word
    another.wait()
    end = time.monotonic() + 60
    wait_for_starts(tmp_path, end)
    assert time.monotonic() < end
    assert [path.name for path in tmp_path.iterdir()] == [f"{another.pid}.starting"]


def test_the_children_of_a_training_that_waits_stand_still(another):
    with standstill():
        end = time.monotonic() + 60  # the system takes its time
        while psutil.Process(another.pid).status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < end
    assert psutil.Process(another.pid).status() != psutil.STATUS_STOPPED


def test_what_makes_phantoms_ahead_goes_on(another):
    psutil.Process(another.pid).nice(19)
    with standstill():
        time.sleep(0.2)
        assert psutil.Process(another.pid).status() != psutil.STATUS_STOPPED
