"""Times are measured while no other command works on the same store, and a command that comes then waits."""

import threading
import time

import pytest
import toy

from bench.cli import main
from bench.engines import pending_runs
from bench.engines.finished_runs import time_runs
from bench.engines.local import LocalEngine
from bench.engines.pending_runs import WAITS, claims, run_grid, timing_claim, working
from bench.errors import BenchError
from bench.runs.records import Timing
from bench.runs.store import hold


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(pending_runs, "POLL", 0.01)


@pytest.fixture
def spec(plan, shrink):
    return plan(shrink)[0][0]


def begun(function, *arguments, **options):
    thread = threading.Thread(target=function, args=arguments, kwargs=options)
    thread.start()
    return thread


@pytest.mark.parametrize("force", [False, True])
def test_a_run_waits_until_times_are_measured(spec, store, lines, force):
    if force:
        toy.perform_here(spec)
    with hold(timing_claim()):
        waiting = begun(run_grid, [spec], LocalEngine(1), force=force, report=lines.append)
        toy.until(lambda: lines)
        time.sleep(0.3)
        assert waiting.is_alive()
        assert lines == [WAITS]
    waiting.join(60)
    assert "psnr" in lines[1]
    assert len(lines) == 2


def test_another_command_waits_too(store, lines):
    def work():
        with working("verify", lines.append):
            lines.append("at work")

    with hold(timing_claim()):
        waiting = begun(work)
        toy.until(lambda: lines)
        time.sleep(0.1)
        assert lines == [WAITS]
    waiting.join(10)
    assert lines == [WAITS, "at work"]
    assert not list(claims().iterdir())


def test_no_times_are_measured_while_another_command_works(spec, store):
    folder = toy.perform_here(spec)
    with working("verify"), pytest.raises(BenchError, match=r"1 runs are at work on .* Times are measured alone"):
        time_runs(["toy:mini"], [], again=False)
    assert not timing_claim().exists()
    with hold(timing_claim()), pytest.raises(BenchError, match="another `bench time` is at work"):
        time_runs(["toy:mini"], [], again=False)
    assert not (folder / "timing.json").exists()


def test_the_costs_of_a_run_are_written_beside_it(spec, store, signals, capsys):
    folder = toy.perform_here(spec)
    assert main(["time", "toy"]) == 0
    assert "s an image, of 5 repeats" in capsys.readouterr().out
    assert Timing.read(folder / "timing.json").images == 2
    assert main(["time", "toy"]) == 0
    assert "1 of 1 done, 0 to go" in capsys.readouterr().out
