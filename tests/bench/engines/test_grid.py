"""A broken method takes down its own run: one line, a result with the reason, and the others go on."""

import os
import signal
import time
from pathlib import Path

import pytest
import toy

from bench.engines.grid import default_jobs, expand, run_grid
from bench.engines.local import Job, Pool, how_it_ended, threads, visible_devices
from bench.errors import BenchError
from bench.runs.records import Result, finished
from bench.runs.spec import Request
from bench.tracking import mlflow as tracking

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
UNIMPORTABLE = {
    "lacking": ("import absent_package\n", "method lacking needs the package 'absent_package'. Install it with pip."),
    "syntax": ("def broken(:\n", "method syntax cannot be imported: SyntaxError: "),
    "none": ("", "method file none defines 0 public Method classes; it must define one."),
}


def request(method, **options):
    return Request("toy:mini", method, **options)


def results(store: Path) -> dict[str, Result]:
    found = [Result.read(path) for path in (store / "runs").glob("[!.]*/result.json")]
    return {result.method: result for result in found}


@pytest.fixture
def lines():
    return []


@pytest.fixture
def go(toys, store, untracked, lines):
    return lambda requests, **options: run_grid(requests, **({"jobs": 2, "say": lines.append} | options))


@pytest.fixture
def shrink(tmp_path):
    return toy.method_file(tmp_path, "shrink", toy.SHRINK)


def test_every_way_to_break_is_one_line_and_a_failed_result_and_the_others_go_on(go, tmp_path, store, lines, shrink):
    paths = [toy.method_file(tmp_path, name, body) for name, (body, _) in BROKEN.items()]
    for name, (text, _) in UNIMPORTABLE.items():
        (tmp_path / f"{name}.py").write_text(text)
        paths.append(str(tmp_path / f"{name}.py"))
    failures = go([*map(request, paths), request(shrink)])

    assert failures == len(BROKEN) + len(UNIMPORTABLE)
    found = results(store)
    assert found.pop("shrink").status == "ok"
    assert {name: (result.status, result.reason) for name, result in found.items()} == {
        name: ("failed", reason) for name, (_, reason) in BROKEN.items()
    }
    for name, (_, reason) in (BROKEN | UNIMPORTABLE).items():
        (line,) = [line for line in lines if reason in line and f"{name}" in line]
        assert "\n" not in line
    assert len(lines) == failures + 1
    assert not list((store / "runs").glob(".tmp-*"))


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "raise ValueError('moody')"])
def test_a_forced_run_that_fails_is_told_and_leaves_the_result_before(go, tmp_path, store, lines, end):
    flag = tmp_path / "flag"
    path = toy.method_file(tmp_path, "moody", f"if os.path.exists({str(flag)!r}):\n    {end}\nreturn y")
    assert go([request(path)]) == 0
    (folder,) = (store / "runs").iterdir()
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    flag.touch()
    lines.clear()
    assert go([request(path)], force=True) == 1
    assert "FAILED" in lines[0]
    assert f"The finished run {folder.name} is kept." in lines[0]
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


def test_what_is_finished_is_skipped_and_force_runs_it_again(go, store, lines, shrink):
    asked = [request(shrink, seed=seed) for seed in (0, 1)]
    go(asked[:1])
    (first,) = (store / "runs").glob("*/result.json")
    written = first.stat().st_mtime_ns
    lines.clear()
    assert go(asked) == 0
    assert lines[0] == "1 of 2 done, 1 to go"
    assert len(lines) == 2
    assert first.stat().st_mtime_ns == written
    assert go(asked[:1], force=True) == 0
    assert first.stat().st_mtime_ns > written


def test_failed_is_not_finished(go, tmp_path, store, lines):
    flag = tmp_path / "flag"
    path = toy.method_file(tmp_path, "moody", f"assert os.path.exists({str(flag)!r}), 'not yet'\nreturn y")
    assert go([request(path)]) == 1
    (folder,) = (store / "runs").iterdir()
    assert not finished(folder)
    flag.touch()
    lines.clear()
    assert go([request(path)]) == 0
    assert finished(folder)
    assert not any("done" in line for line in lines)
    assert not (folder / "traceback.txt").exists()


def test_unsupported_is_finished_and_no_failure(go, tmp_path, store, lines):
    supports = "    @classmethod\n    def supports(cls, track):\n        return 'needs k-space'\n"
    path = toy.method_file(tmp_path, "picky", supports)
    assert go([request(path)]) == 0
    assert lines[0].endswith("UNSUPPORTED: needs k-space")
    assert go([request(path)]) == 0
    assert lines[1] == "1 of 1 done, 0 to go"


def test_a_damaged_result_is_made_anew(go, store, shrink):
    go([request(shrink)])
    (path,) = (store / "runs").glob("*/result.json")
    path.write_text(path.read_text()[:100])
    assert go([request(shrink)]) == 0
    assert Result.read(path).status == "ok"


def test_a_changed_method_is_run_again(go, tmp_path, store, lines):
    for body in ("return y", "return y + 0"):
        go([request(toy.method_file(tmp_path, "mine", body))])
    assert len(list((store / "runs").iterdir())) == 2
    assert not any("done" in line for line in lines)


def test_a_request_typed_twice_is_run_once(go, toys, lines, shrink):
    assert go(expand(["toy", "toy:mini"], [shrink, shrink], [0, 0])) == 0
    assert len(lines) == 1


def test_a_full_disk_is_one_line_a_run_and_leaves_nothing(go, store, lines, shrink, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("bench.runs.run_directory.write_curves", full)
    monkeypatch.setattr("bench.evaluation.pictures.save", full)
    assert go([request(shrink)]) == 1
    (line,) = lines
    assert "No space left on device" in line
    assert "\n" not in line
    assert list((store / "runs").iterdir()) == []


def test_what_a_method_leaves_behind_does_not_hold_up_the_others(go, tmp_path):
    pids = tmp_path / "pids"
    body = "left = os.fork() or (time.sleep(60), os._exit(0))\n"
    body += f"open({str(pids)!r}, 'a').write(f'{{left}} ')\nreturn y"
    start = time.monotonic()
    assert go([request(toy.method_file(tmp_path, "forks", body), limit=2)]) == 0
    for pid in pids.read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    assert time.monotonic() - start < 30


def test_runs_work_side_by_side(go, tmp_path, store):
    """Each waits until the other has begun."""
    body = f"here = {str(tmp_path)!r}\nopen(here + '/' + str(os.getpid()) + '.pid', 'w').close()\n"
    body += "end = time.time() + 20\nwhile len([n for n in os.listdir(here) if n.endswith('.pid')]) < 2:\n"
    body += "    assert time.time() < end, 'alone'\n    time.sleep(0.01)\nreturn y"
    path = toy.method_file(tmp_path, "meet", body)
    assert go([request(path, seed=seed) for seed in (0, 1)]) == 0


def test_a_run_has_one_thread_whatever_the_machine(go, tmp_path, store, monkeypatch):
    path = toy.method_file(tmp_path, "threads", "assert torch.get_num_threads() == 1\nreturn y")
    assert go([request(path)]) == 0
    monkeypatch.setenv("BENCH_THREADS", "3")
    assert threads() == 3
    for text in ("0", "-1", "many"):
        monkeypatch.setenv("BENCH_THREADS", text)
        with pytest.raises(BenchError, match="is not a positive whole number"):
            threads()


def test_learned_methods_start_first(go, tmp_path, lines, shrink):
    network = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    assert go([request(shrink), request(network)], jobs=1) == 0
    assert "  net  " in lines[0]
    assert "  shrink  " in lines[1]


def test_progress_is_told_where_there_is_no_terminal(toys, store, untracked, lines, tmp_path, monkeypatch):
    pool = Pool([], 1, lines.append)
    pool.told = time.monotonic() - 31
    pool.active = {None: (None, Job(request("a/b/mine.py"), tmp_path, False), 0.0)}
    pool.show_progress()
    pool.show_progress()
    assert lines == ["... 0/0 | toy:mini mine: starting"]


def test_what_could_not_be_tracked_is_told_and_kept(toys, store, lines, shrink, monkeypatch, capfd):
    def away(target):
        raise BenchError("MLflow at http://x failed")

    monkeypatch.setattr(tracking, "available", lambda: True)
    monkeypatch.setattr(tracking, "tracked", lambda target: False)
    monkeypatch.setattr(tracking, "log", away)
    assert run_grid([request(shrink)], jobs=1, say=lines.append) == 0
    assert "not tracked: MLflow at http://x failed. The run is kept" in capfd.readouterr().out
    assert results(store)["shrink"].status == "ok"
    assert run_grid([request(shrink)], jobs=1, say=lines.append) == 0
    assert lines[-1].startswith("not tracked: ")


def test_requests_are_the_product_of_what_was_asked(toys):
    asked = expand(["toy", "toy:exact"], ["tv", "direct:a=1"], [3, 4], limit=2, label="x", devices=2)
    assert len(asked) == 8
    assert {(one.track, one.method, one.seed) for one in asked} == {
        (track, method, seed) for track in ("toy:mini", "toy:exact") for method in ("tv", "direct") for seed in (3, 4)
    }
    assert {(one.seeds, one.limit, one.label, one.devices) for one in asked} == {((3, 4), 2, "x", 2)}


def test_an_end_is_told_in_words():
    assert how_it_ended(1) == "the process ended with exit status 1"
    assert how_it_ended(-signal.SIGSEGV) == "the process was killed by signal 11"


def test_jobs_share_processors_and_devices(monkeypatch):
    processors = len(os.sched_getaffinity(0))
    assert default_jobs("cpu", 1) == processors
    assert default_jobs("cpu", 10 * processors) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [visible_devices(slot, 1) for slot in range(3)] == [["4"], ["6"], ["4"]]
    assert visible_devices(0, 2) == ["4", "6"]
