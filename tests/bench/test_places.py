"""Where things lie is told by the environment; a place that cannot be used is one line."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from bench import places
from bench.errors import BenchError


def test_the_store_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "here"))
    assert places.runs() == tmp_path / "here" / "runs"
    monkeypatch.delenv("BENCH_STORE")
    monkeypatch.chdir(tmp_path)
    assert places.store() == tmp_path / ".bench"


def test_the_root_holds_the_three_packages():
    assert all((places.ROOT / package / "__init__.py").is_file() for package in ("bench", "tasks", "baselines"))


def test_a_working_directory_that_was_deleted_is_one_line(monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.delenv("BENCH_STORE")
    monkeypatch.chdir(gone)
    shutil.rmtree(gone)
    with pytest.raises(BenchError, match="the working directory was deleted"):
        places.store()
    os.chdir(tmp_path)


def test_the_folder_of_runs_is_made(store):
    assert places.open_runs() == store / "runs"
    assert (store / "runs").is_dir()


def test_a_file_in_place_of_the_store_is_one_line(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "file"))
    with pytest.raises(BenchError, match=r"cannot write to .*Set BENCH_STORE to a writable folder"):
        places.open_runs()
    assert isinstance(places.unwritable(Path("x"), OSError(28, "full")), BenchError)


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "note.json"
    path.write_text("before")
    with suppress(ZeroDivisionError), places.whole_file(path) as scratch:
        scratch.write_text(f"half {1 / 0}")
    assert path.read_text() == "before"
    with places.whole_file(path) as scratch:
        scratch.write_text("after")
        assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["note.json"]
    assert path.read_text() == "after"
