"""A run that breaks, hangs or leaves children behind is one line and costs itself alone."""

import os
import time
from pathlib import Path

import pytest
import toy
from toy_runs import results

from bench.engines import pending_runs
from bench.engines.local import LocalEngine
from bench.engines.pending_runs import run_grid

# name -> (what `forward` does, the reason that is told)
BROKEN = {
    "nan": ("return y * float('nan')", "on image test-0 the method returned NaN or infinite values."),
    "shape": ("return y[..., :8]", "on image test-0 the method returned shape (1, 1, 16, 8), expected (1, 1, 16, 16)."),
    "dtype": (
        "return y.double()",
        "on image test-0 the method returned torch.float64 on cpu, expected torch.float32 on cpu.",
    ),
    "raises": ("raise ValueError('a\\nb')", "ValueError: a b (raises.py, line 16)"),
    "memory": ("raise MemoryError", "MemoryError (memory.py, line 16)"),
    "exits": ("os._exit(3)", "the process ended with exit status 3"),
    "leaves": ("os._exit(0)", "the process ended with exit status 0"),
    "quits": ("sys.exit(0)", "SystemExit: 0 (quits.py, line 16)"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "the process was killed by signal 9 (out of memory?)"),
    "crashes": (
        "import faulthandler\nfaulthandler.disable()\nos.kill(os.getpid(), signal.SIGSEGV)",
        "the process was killed by signal 11",
    ),
}


def test_every_way_to_break_is_one_line_and_a_failed_result_and_the_others_go_on(go, tmp_path, store, lines, shrink):
    paths = [toy.method_file(tmp_path, name, body) for name, (body, _) in BROKEN.items()]
    assert go(*paths, shrink) == len(BROKEN)
    found = results(store)
    assert found.pop("shrink").status == "ok"
    assert {name: (result.status, result.reason) for name, result in found.items()} == {
        name: ("failed", reason) for name, (_, reason) in BROKEN.items()
    }
    for name, (_, reason) in BROKEN.items():
        (line,) = [line for line in lines if reason in line and f"  {name}  " in line]
        assert "\n" not in line
    assert len(lines) == len(BROKEN) + 1
    assert not list((store / "runs").glob(".tmp-*"))
    assert not list((store / "claims").iterdir())


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "raise ValueError('moody')"])
def test_a_forced_run_that_fails_is_told_and_leaves_the_result_before(go, tmp_path, store, lines, end):
    flag = tmp_path / "flag"
    path = toy.method_file(tmp_path, "moody", f"if os.path.exists({str(flag)!r}):\n    {end}\nreturn y")
    assert go(path) == 0
    (folder,) = (store / "runs").iterdir()
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    flag.touch()
    lines.clear()
    assert go(path, force=True) == 1
    assert "FAILED" in lines[0]
    assert f"The finished run {folder.name} is kept." in lines[0]
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


@pytest.fixture
def hasty(hasty_tracks, monkeypatch):
    """A run has a second, and no more than half a second to write."""
    monkeypatch.setattr(pending_runs, "GRACE", 0.5)


def test_a_method_that_hangs_is_a_row_and_ends_with_what_it_has_started(go, hasty, tmp_path, store, lines, shrink):
    pids = tmp_path / "pids"
    body = f"import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nopen({str(pids)!r}, 'w')"
    body += ".write(f'{os.getpid()} {child.pid}')\ntime.sleep(60)"
    hangs = toy.method_file(tmp_path, "hangs", body)
    assert go(hangs, shrink, tracks=("hasty",)) == 1
    found = results(store)
    assert found["shrink"].status == "ok"
    assert (found["hangs"].status, found["hangs"].per_image) == ("failed", {})
    assert "went over its time" in found["hangs"].reason
    toy.until(lambda: not any(toy.alive(int(pid)) for pid in pids.read_text().split()))


def test_what_a_method_leaves_behind_ends_with_its_run(go, tmp_path):
    pids = tmp_path / "pids"
    body = "left = os.fork() or (time.sleep(60), os._exit(0))\n"
    body += f"open({str(pids)!r}, 'a').write(f'{{left}} ')\nreturn y"
    start = time.monotonic()
    assert go(toy.method_file(tmp_path, "forks", body), limit=2) == 0
    assert time.monotonic() - start < 30
    toy.until(lambda: not any(toy.alive(int(pid)) for pid in pids.read_text().split()))


def test_a_full_disk_is_one_line_a_run_and_leaves_nothing(plan, store, lines, shrink, monkeypatch):
    """Met by the command itself, where a run's own process could write nothing either."""

    def full(*arguments, **options):
        raise OSError(28, os.strerror(28))

    specs, _ = plan(toy.method_file(Path(shrink).parent, "dies", "os._exit(3)"))
    monkeypatch.setattr("bench.engines.execute.failed_result", full)
    assert run_grid(specs, LocalEngine(1), report=lines.append) == 1
    (line,) = lines
    assert line.endswith("FAILED: the process ended with exit status 3")
    assert list((store / "runs").iterdir()) == []
