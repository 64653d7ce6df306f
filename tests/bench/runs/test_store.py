"""What is written is whole or not there, also where a process is killed or the disk is full."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.runs import store as places
from bench.runs.store import cached, clear_scratch, whole_directory


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_store_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "here"))
    assert places.runs() == tmp_path / "here" / "runs"
    monkeypatch.delenv("BENCH_STORE")
    monkeypatch.chdir(tmp_path)
    assert places.store() == tmp_path / ".bench"


def test_a_directory_appears_when_it_is_whole(tmp_path):
    with whole_directory(tmp_path / "runs" / "key") as folder:
        (folder / "a.txt").write_text("a")
        assert not (tmp_path / "runs" / "key").exists()
    assert names(tmp_path / "runs") == ["key"]
    assert (tmp_path / "runs" / "key" / "a.txt").read_text() == "a"


def test_it_replaces_the_one_before(tmp_path):
    for text in ("old", "new"):
        with whole_directory(tmp_path / "key") as folder:
            (folder / f"{text}.txt").write_text(text)
    assert names(tmp_path) == ["key"]
    assert names(tmp_path / "key") == ["new.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_ends_badly_leaves_what_was_there(tmp_path, error):
    with whole_directory(tmp_path / "key") as folder:
        (folder / "old.txt").write_text("old")
    with pytest.raises(error), whole_directory(tmp_path / "key") as folder:
        raise error(str((folder / "new.txt").write_text("half")))
    assert names(tmp_path) == ["key"]
    assert names(tmp_path / "key") == ["old.txt"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(BenchError, match=r"cannot write .*key: No space left on device\. Free some space"):
        with whole_directory(tmp_path / "key"):
            full()
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", ["mkdir", "mkdtemp"])
def test_a_store_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, call):
    monkeypatch.setattr(*((Path, "mkdir") if call == "mkdir" else (places.tempfile, "mkdtemp")), full)
    with pytest.raises(BenchError, match="Set BENCH_STORE to a writable folder"):
        with whole_directory(tmp_path / "runs" / "key"):
            raise AssertionError("not reached")


def test_a_file_in_place_of_the_store_is_one_line(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(BenchError, match=r"cannot write to .*runs: "):
        with whole_directory(tmp_path / "runs" / "key"):
            raise AssertionError("not reached")


def test_scratch_of_the_dead_is_removed_and_that_of_the_living_stays(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    zombie = subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE)
    assert zombie.stdout is not None
    zombie.stdout.read()
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    for pid in (dead.pid, zombie.pid, os.getpid(), os.getppid()):
        (tmp_path / f".tmp-{pid}-x" / "deep").mkdir(parents=True)
        (tmp_path / f".tmp-{pid}-file.npz").write_text("")
    (tmp_path / "0123").mkdir()
    clear_scratch(tmp_path)
    kept = {f".tmp-{pid}-{name}" for pid in (os.getpid(), os.getppid()) for name in ("x", "file.npz")}
    assert set(names(tmp_path)) == kept | {"0123"}
    zombie.communicate()


def test_a_process_killed_while_it_replaces_a_directory_leaves_the_old_one(tmp_path):
    """Killed between the two renames, the worst moment."""
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "old.txt").write_text("old")
    script = f"""
import os, signal
from pathlib import Path
from bench.runs.store import whole_directory
rename = Path.rename
def dying(path, target):
    rename(path, target)
    os.kill(os.getpid(), signal.SIGKILL)
with whole_directory(Path({str(tmp_path / "key")!r})) as folder:
    (folder / "new.txt").write_text("new")
    Path.rename = dying
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert "key" not in names(tmp_path)
    clear_scratch(tmp_path)
    clear_scratch(tmp_path)
    assert names(tmp_path) == ["key"]
    assert names(tmp_path / "key") == ["old.txt"]


@pytest.mark.parametrize("before", [["key"], []])
def test_a_directory_that_cannot_take_its_name_leaves_what_was_there(tmp_path, monkeypatch, before):
    for name in before:
        (tmp_path / name).mkdir()
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda path, to: full() if "new.txt" in names(path) else rename(path, to))
    with pytest.raises(BenchError, match="No space left"):
        with whole_directory(tmp_path / "key") as folder:
            (folder / "new.txt").write_text("new")
    assert names(tmp_path) == before


@pytest.fixture
def numbers(store):
    made = []

    def get():
        return cached("numbers", "k", lambda: made.append(1) or {"a": np.arange(3), "b": np.eye(2)})

    get.made = made
    get.path = store / "cache" / "numbers-k.npz"
    return get


def test_what_is_cached_is_made_once(numbers):
    first, second = numbers(), numbers()
    assert len(numbers.made) == 1
    assert set(second) == {"a", "b"}
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert names(numbers.path.parent) == ["numbers-k.npz"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
def test_a_damaged_cache_file_is_made_anew(numbers, share):
    expected = numbers()
    content = numbers.path.read_bytes()
    numbers.path.write_bytes(content[: int(share * len(content))])
    assert np.array_equal(numbers()["b"], expected["b"])
    assert len(numbers.made) == 2
    assert numbers.path.read_bytes()[:2] == b"PK"


def test_a_cache_that_cannot_be_written_costs_time_and_not_the_run(numbers, monkeypatch):
    monkeypatch.setattr(np, "savez", full)
    assert np.array_equal(numbers()["a"], np.arange(3))
    assert names(numbers.path.parent) == []
