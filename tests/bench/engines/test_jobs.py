"""Runs work side by side, as many as processors and devices allow, and learned methods start first."""

import pytest
import toy

from bench.engines import pending_runs
from bench.engines.pending_runs import Machine
from bench.errors import BenchError


def test_runs_work_side_by_side(go, tmp_path):
    """Each waits until the other has begun."""
    body = f"here = {str(tmp_path)!r}\nopen(here + '/' + str(os.getpid()) + '.pid', 'w').close()\n"
    body += "end = time.time() + 60\nwhile len([n for n in os.listdir(here) if n.endswith('.pid')]) < 2:\n"
    body += "    assert time.time() < end, 'alone'\n    time.sleep(0.01)\nreturn y"
    assert go(toy.method_file(tmp_path, "meet", body), seeds=[0, 1]) == 0


def test_learned_methods_start_first(go, tmp_path, lines, shrink):
    network = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    assert go(shrink, network, size=1) == 0
    assert "  net  " in lines[0]
    assert "  shrink  " in lines[1]


def test_jobs_share_processors_and_devices(monkeypatch):
    monkeypatch.setattr(pending_runs, "processors", lambda: 8)
    assert [Machine("cpu", ()).jobs(devices) for devices in (1, 2, 3, 9)] == [8, 4, 2, 1]
    monkeypatch.setenv("BENCH_THREADS", "4")
    assert Machine("cpu", ()).jobs(1) == 2
    assert [Machine("cuda", ("4", "6")).jobs(devices) for devices in (1, 2)] == [2, 1]


def test_more_devices_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr(pending_runs, "processors", lambda: 2)
    pending_runs.check_devices(2, Machine("cpu", ()))
    for machine, kind in ((Machine("cpu", ()), "2 processors"), (Machine("cuda", ("0",)), "1 GPUs")):
        with pytest.raises(BenchError, match=f"--devices 3: this machine has {kind}"):
            pending_runs.check_devices(3, machine)
