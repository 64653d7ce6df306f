"""What is written is whole or not there, also where a process is killed or the disk is full; claims tell who works."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.runs import store as storing
from bench.runs.store import VOID_AFTER, clear_scratch, held, take, whole_directory


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def claim(path: Path, age: float = 0.0, **changes) -> Path:
    """A claim as a process would leave it, last touched ``age`` seconds ago."""
    path.write_text(json.dumps(storing.myself() | changes))
    touched = time.time() - age
    os.utime(path, (touched, touched))
    return path


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


@pytest.mark.parametrize("call", ["mkdir", "write_text"])
def test_a_store_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, call):
    with monkeypatch.context() as patch:
        patch.setattr(Path, call, full)
        with pytest.raises(BenchError, match="Set BENCH_STORE to a writable folder"):
            with whole_directory(tmp_path / "key"):
                raise AssertionError("not reached")
    clear_scratch(tmp_path)
    assert names(tmp_path) == []


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
    # A process of the same number that was started at another time is another process.
    makers = {"a": {"pid": dead.pid}, "b": {"pid": zombie.pid}, "c": {"started": 1.0}, "living": {}}
    for token, changes in makers.items():
        (tmp_path / f".tmp-{token}-new-key" / "deep").mkdir(parents=True)
        claim(tmp_path / f".tmp-{token}-claim", **changes)
    (tmp_path / ".tmp-unclaimed-new-key").mkdir()
    (tmp_path / "0123").mkdir()
    clear_scratch(tmp_path)
    assert names(tmp_path) == [".tmp-living-claim", ".tmp-living-new-key", "0123"]
    zombie.communicate()


def test_scratch_of_another_machine_stays_while_it_is_touched(tmp_path):
    for token, age in {"fresh": VOID_AFTER / 2, "void": 2 * VOID_AFTER}.items():
        (tmp_path / f".tmp-{token}-new-key").mkdir()
        claim(tmp_path / f".tmp-{token}-claim", age, machine="another", pid=1)
    clear_scratch(tmp_path)
    assert names(tmp_path) == [".tmp-fresh-claim", ".tmp-fresh-new-key"]


def test_files_of_the_cache_that_were_being_written_go_when_they_are_old(tmp_path):
    for name, age in {".tmp-1-new.npz": 2 * VOID_AFTER, ".tmp-2-newer.npz": 0.0}.items():
        claim(tmp_path / name, age)
    clear_scratch(tmp_path)
    assert names(tmp_path) == [".tmp-2-newer.npz"]


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


def test_what_is_claimed_is_taken_once(tmp_path):
    path = tmp_path / "claims" / "key"
    first = take(path)
    assert first is not None
    with first:
        assert held(path)
        assert take(path) is None
    assert not path.exists()
    assert not held(path)


@pytest.mark.parametrize(
    ("age", "changes", "free"),
    [
        (0.0, {"machine": "another"}, False),
        (VOID_AFTER / 2, {"machine": "another"}, False),
        (2 * VOID_AFTER, {"machine": "another"}, True),
        (2 * VOID_AFTER, {}, False),  # this process: it lives, however long ago it touched the claim
        (0.0, {"started": 1.0}, True),
    ],
)
def test_a_claim_of_another_is_respected_until_it_is_void(tmp_path, age, changes, free):
    path = claim(tmp_path / "key", age, **changes)
    assert held(path) is not free
    assert (take(path) is not None) is free


def test_a_claim_that_is_just_being_written_is_held(tmp_path):
    (tmp_path / "key").write_text("")
    assert take(tmp_path / "key") is None
    os.utime(tmp_path / "key", (1.0, 1.0))
    assert take(tmp_path / "key") is not None


def test_a_claim_is_touched_while_its_process_works(tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "HEARTBEAT", 0.01)
    with take(tmp_path / "key"):
        os.utime(tmp_path / "key", (1.0, 1.0))
        end = time.monotonic() + 10
        while (tmp_path / "key").stat().st_mtime < 2.0:
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.mark.parametrize("ahead", [-1000.0, 1000.0])
def test_the_age_of_a_claim_goes_by_the_clock_of_its_file_system(tmp_path, monkeypatch, ahead):
    """The clock of this machine may be wrong."""
    path = claim(tmp_path / "key", VOID_AFTER / 2, machine="another")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + ahead)
    assert held(path)


def test_a_claim_that_another_machine_took_over_is_left_to_it(tmp_path):
    path = tmp_path / "run"
    with take(path):
        theirs = json.dumps({"machine": "another", "pid": 1, "started": 0.0})
        path.write_text(theirs)
    assert path.read_text() == theirs
