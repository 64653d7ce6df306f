"""A grid: specs are frozen before anything starts, finished ones are skipped, and a broken run costs itself alone."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
import toy

from bench.engines import pending_runs
from bench.engines.local import LocalEngine
from bench.engines.pending_runs import Machine, claim_path, run_grid
from bench.errors import BenchError
from bench.places import runs
from bench.runs import provenance
from bench.runs import store as storing
from bench.runs.records import Result, finished
from bench.runs.store import VOID_AFTER

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


def results(store: Path) -> dict[str, Result]:
    found = [Result.read(path) for path in (store / "runs").glob("[!.]*/result.json")]
    return {result.method: result for result in found}


def edit(path, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


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


def test_what_is_finished_is_skipped_and_force_runs_it_again(go, store, lines, shrink):
    go(shrink)
    (first,) = (store / "runs").glob("*/result.json")
    written = first.stat().st_mtime_ns
    lines.clear()
    assert go(shrink, seeds=[0, 1]) == 0
    assert lines[0] == "1 of 2 done, 1 to go"
    assert len(lines) == 2
    assert first.stat().st_mtime_ns == written
    assert go(shrink, force=True) == 0
    assert first.stat().st_mtime_ns > written


def test_a_run_of_uncommitted_code_is_done_again_once_the_code_is_committed(go, store, lines, shrink, monkeypatch):
    """Committing a method changes no key, and yet its row can be ranked only now."""
    monkeypatch.setattr(provenance, "commit", lambda: ("c" * 40, ""))
    monkeypatch.setattr(provenance, "commit_outside", lambda *_: ("", "shrink.py"))
    assert go(shrink) == 0
    monkeypatch.setattr(provenance, "commit_outside", lambda *_: ("c0ffee", ""))
    lines.clear()
    assert go(shrink) == 0
    assert "psnr" in lines[-1]
    (path,) = (store / "runs").glob("[!.]*/result.json")
    assert not Result.read(path).dirty
    lines.clear()
    go(shrink)
    assert lines == ["1 of 1 done, 0 to go"]


def test_failed_is_not_finished(go, tmp_path, store, lines):
    flag = tmp_path / "flag"
    path = toy.method_file(tmp_path, "moody", f"assert os.path.exists({str(flag)!r}), 'not yet'\nreturn y")
    assert go(path) == 1
    (folder,) = (store / "runs").iterdir()
    assert not finished(folder)
    flag.touch()
    lines.clear()
    assert go(path) == 0
    assert finished(folder)
    assert not any("done" in line for line in lines)
    assert not (folder / "traceback.txt").exists()


def test_unsupported_is_finished_and_no_failure(go, tmp_path, lines):
    supports = "    @classmethod\n    def supports(cls, track):\n        return 'needs k-space'\n"
    path = toy.method_file(tmp_path, "picky", supports)
    assert go(path) == 0
    assert "UNSUPPORTED: needs k-space  (key " in lines[0]
    assert go(path) == 0
    assert lines[1] == "1 of 1 done, 0 to go"


def test_a_damaged_result_is_made_anew(go, store, shrink):
    go(shrink)
    (path,) = (store / "runs").glob("*/result.json")
    path.write_text(path.read_text()[:100])
    assert go(shrink) == 0
    assert Result.read(path).status == "ok"


# Identity: frozen before anything starts.


def test_a_method_that_adds_a_comment_to_its_own_file_is_done(go, tmp_path, store, lines):
    path = toy.method_file(tmp_path, "scribe", "open(__file__, 'a').write('# seen\\n')\nreturn y")
    assert go(path) == 0
    assert "# seen" in Path(path).read_text()
    assert go(path) == 0
    assert lines[-1] == "1 of 1 done, 0 to go"


def test_a_method_that_changes_its_own_code_keeps_the_scores_of_its_old_code_and_runs_again(go, tmp_path, store, lines):
    change = "text = open(__file__).read()\nopen(__file__, 'w').write(text.replace('0.5 * y', '0.25 * y'))\n"
    path = toy.method_file(tmp_path, "shifty", change + "return 0.5 * y")
    assert go(path) == 0
    old = results(store)["shifty"]
    assert "0.25 * y" in Path(path).read_text()
    assert (store / "runs" / old.key / "source" / "shifty.py").read_text().count("return 0.5 * y") == 1
    assert go(path) == 0
    assert not any("done" in line for line in lines)
    found = {path.parent.name: Result.read(path) for path in (store / "runs").glob("*/result.json")}
    assert len(found) == 2
    new = next(result for key, result in found.items() if key != old.key)
    assert new.mean("psnr") < old.mean("psnr")
    assert new.sources != old.sources


def test_a_method_edited_between_the_freeze_and_the_start_is_not_kept_as_finished(plan, store, lines, shrink):
    specs, _ = plan(shrink)
    edit(shrink, "self.factor * y", "0 * y")
    assert run_grid(specs, LocalEngine(1), report=lines.append) == 1
    told = "shrink.py was edited after the command had started. Type the command again."
    assert f"FAILED: {told}  (key " in lines[0]
    assert not finished(store / "runs" / specs[0].key)


def test_what_was_asked_twice_is_run_once(go, lines, shrink):
    assert go(shrink, shrink, tracks=("toy", "toy:mini"), seeds=[0, 0]) == 0
    assert len(lines) == 1


# Isolation: a run depends on nothing but its own spec.


def test_two_methods_each_have_their_own_neighbour_of_one_name(go, tmp_path, store):
    paths = []
    for name, gain in (("first", 1.0), ("second", 0.5)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "helpers.py").write_text(f"GAIN = {gain}\n")
        paths.append(toy.method_file(folder, name, "import helpers\nreturn helpers.GAIN * y"))
        edit(paths[-1], "import torch\n", "import torch\nimport helpers\n")
    assert go(*paths, size=1) == 0
    found = results(store)
    alone = toy.method_file(tmp_path, "half", "return 0.5 * y")
    assert go(alone) == 0
    assert found["second"].per_image == results(store)["half"].per_image
    assert found["first"].per_image != found["second"].per_image


MEDDLERS = {
    "dtype": "torch.set_default_dtype(torch.float64)",
    "threads": "torch.set_num_threads(2)",
    "environment": "os.environ['TOY_MEDDLED'] = '1'",
    "path": "sys.path.insert(0, '/nowhere')",
}


def test_no_method_changes_what_the_next_one_sees(go, tmp_path, store):
    """Neither while it is imported nor while it runs."""
    paths = []
    for name, line in MEDDLERS.items():
        paths.append(toy.method_file(tmp_path, f"a_{name}", f"{line}\nreturn y"))
        edit(paths[-1], "import torch\n", f"import torch\n{line}\n")
    body = (
        "assert torch.get_default_dtype() == torch.float32\nassert torch.get_num_threads() == 1\n"
        "assert 'TOY_MEDDLED' not in os.environ\nassert '/nowhere' not in sys.path\nreturn y"
    )
    assert go(*paths, toy.method_file(tmp_path, "z_looks", body), size=1) == 0
    assert results(store)["z_looks"].status == "ok"


def test_random_numbers_belong_to_an_image(go, tmp_path, store):
    """Alone, among others or in a run of two seeds: an image has the random numbers of the seed and its name."""
    body = "import random, numpy as np\n"
    body += "return y + 0.05 * torch.randn(y.shape) + 0.01 * float(np.random.rand()) + 0.01 * random.random()"
    path = toy.method_file(tmp_path, "sampler", body)
    assert go(path, seeds=[0, 1]) == 0
    assert go(path, limit=2) == 0
    found = [Result.read(path) for path in (store / "runs").glob("*/result.json")]
    whole, other, part = sorted(found, key=lambda one: (one.limit is not None, one.seed))
    assert part.per_image == {name: whole.per_image[name] for name in ("test-0", "test-1")}
    assert all(whole.per_image[name] != other.per_image[name] for name in whole.per_image)


# Time, and the children of methods.


@pytest.fixture
def hasty(tmp_path, monkeypatch, toys):
    """Tracks of another distribution, whose runs have a second, and no more than half a second to write."""
    site = tmp_path / "site"
    toy.install_hasty(site)
    monkeypatch.syspath_prepend(str(site))
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


# Several commands on one store.


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
