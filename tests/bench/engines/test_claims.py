"""Several commands on one store share its runs: each run is claimed by one, and no claim outlives its command."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
import toy

from bench.engines import pending_runs
from bench.engines.local import LocalEngine
from bench.engines.pending_runs import claim_path, run_grid
from bench.places import runs
from bench.runs import store as storing
from bench.runs.records import finished
from bench.runs.store import VOID_AFTER


def claimed(path: Path, age: float, **changes) -> None:
    """A claim as another process has left it, last touched ``age`` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(storing.myself() | changes))
    os.utime(path, (time.time() - age, time.time() - age))


@pytest.fixture
def spec(plan, shrink):
    return plan(shrink)[0][0]


def test_a_run_claimed_by_another_machine_is_waited_for(spec, store, lines, monkeypatch):
    monkeypatch.setattr(pending_runs, "POLL", 0.01)
    claimed(claim_path(spec), 1.0, machine="another", pid=1)
    waited = threading.Thread(target=run_grid, args=([spec], LocalEngine(1)), kwargs={"report": lines.append})
    waited.start()
    time.sleep(0.5)
    assert waited.is_alive()
    assert lines == []
    toy.perform_here(spec)  # as the other machine does
    claim_path(spec).unlink()
    waited.join(30)
    assert lines == ["[1/1] toy:mini  shrink  seed 0  done by another command"]


def test_a_void_claim_is_taken_over(spec, store, lines):
    claimed(claim_path(spec), 2 * VOID_AFTER, machine="another", pid=1)
    assert run_grid([spec], LocalEngine(1), report=lines.append) == 0
    assert "psnr" in lines[0]
    assert not claim_path(spec).exists()


def test_a_run_that_ended_between_the_look_and_the_claim_is_not_done_again(spec, lines, monkeypatch):
    """Another command was faster by a moment."""
    real = pending_runs.take

    def late(path):
        if not finished(runs() / spec.key):
            toy.perform_here(spec)
        return real(path)

    monkeypatch.setattr(pending_runs, "take", late)
    monkeypatch.setattr(pending_runs, "POLL", 0.01)
    assert run_grid([spec], LocalEngine(1), report=lines.append) == 0
    assert lines == ["[1/1] toy:mini  shrink  seed 0  done by another command"]


def test_equal_commands_at_once_share_the_work(plan, tmp_path, store, lines):
    count = tmp_path / "count"
    body = f"open({str(count)!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(0.02)\nreturn y"
    specs, _ = plan(toy.method_file(tmp_path, "counts", body), seeds=[0, 1, 2, 3], limit=1)
    commands = [
        threading.Thread(target=run_grid, args=(specs, LocalEngine(1)), kwargs={"report": lines.append})
        for _ in range(2)
    ]
    for command in commands:
        command.start()
    for command in commands:
        command.join(60)
    assert len(count.read_text().split()) == len(set(count.read_text().split())) == 4
    assert len(lines) == 8
    assert len([line for line in lines if line.endswith("done by another command")]) == 4


def test_what_stopped_a_command_releases_its_claims(plan, store, tmp_path, lines):
    specs, _ = plan(toy.method_file(tmp_path, "waits", "time.sleep(60)"), seeds=[0, 1])

    class Interrupted(LocalEngine):
        def work(self, tasks, tick=lambda: None):
            def stop():
                raise KeyboardInterrupt

            return super().work(tasks, stop)

    with pytest.raises(KeyboardInterrupt):
        run_grid(specs, Interrupted(2), report=lines.append)
    assert not list((store / "claims").iterdir())
    assert not list((store / "runs").iterdir())
