"""The database of a store: whole or made again, wherever the store lies."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from fabricate import result, run_directory

from bench.errors import BenchError
from bench.tracking import address, database, mirror
from bench.tracking import mlflow as tracking

MAKE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # also below a shell that ignores it
MAKE += "from bench.tracking import mlflow\nwith mlflow.session(): pass"


def held():
    return set(database.held())


def truncated(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def scribbled(path):
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(40 * 4096))


def half_made(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE latest_metrics")


def unversioned(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM alembic_version")


def of_another_schema(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")


BROKEN = {
    "emptied": (lambda path: path.write_bytes(b""), ""),
    "deleted": (lambda path: path.unlink(), ""),
    "text": (lambda path: path.write_text("not a database\n" * 99), "damaged (file is not a database)"),
    "truncated": (truncated, "it is damaged"),
    "scribbled": (scribbled, "it is damaged"),
    "half made": (half_made, "it was left half made"),
    "without a version": (unversioned, "it was left half made"),
    "of a newer MLflow": (of_another_schema, "cannot be brought to MLflow's"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_database_is_set_aside_and_filled_again_by_import(store, remade, capsys, name):
    """All that the database has lost comes back by one command, whatever the markers say."""
    from bench.cli import main

    breaks, told = BROKEN[name]
    runs = [run_directory(store / "runs", result(method), steps=2) for method in ("tv", "tgv")]
    for run in runs:
        tracking.log(run)
    assert held() == {run.name for run in runs}
    breaks(store / "mlflow.db")
    database._looked_at.clear()
    assert main(["import", str(store / "runs")]) == 0
    out, err = capsys.readouterr()
    assert f"0 runs added to {store / 'runs'}, 2 were there already; MLflow: 2 logged, 0 were there already" in out
    assert err.count("\n") == (1 if told else 0)
    assert told in err
    assert held() == {run.name for run in runs}
    assert len(list(store.glob("mlflow.db.damaged-*"))) == (1 if told else 0)
    assert not list(store.glob(".tmp-*"))
    assert main(["import", str(store / "runs")]) == 0
    assert "MLflow: 0 logged, 2 were there already" in capsys.readouterr().out


def test_a_deleted_database_is_filled_again(store, remade):
    run = run_directory(store / "runs", result("tv"), steps=2)
    tracking.log(run)
    (store / "mlflow.db").unlink()
    (store / "mlflow.db-journal").write_bytes(b"of the old one")
    assert not mirror.tracked(run)
    tracking.log(run)
    assert held() == {run.name}
    assert mirror.tracked(run)


def test_a_run_that_was_deleted_in_the_dashboard_is_missing(store, client):
    run = run_directory(store / "runs", result("tv"), steps=2)
    client.delete_run(tracking.log(run))
    assert mirror.untracked() == [run]


def test_a_result_that_has_changed_is_missing(store):
    run = run_directory(store / "runs", result("tv"), steps=2)
    tracking.log(run)
    (run / "result.json").write_text(result("tv", level=20.0).to_json())
    assert mirror.untracked() == [run]


def test_lost_files_of_runs_are_noticed(store, remade, capsys):
    run = run_directory(store / "runs", result("tv"), steps=2)
    tracking.log(run)
    shutil.rmtree(store / "artifacts")
    database._looked_at.clear()
    tracking.log(run)
    assert "the files of its runs are gone" in capsys.readouterr().err
    assert [found.method for found in tracking.results()] == ["tv"]


def test_a_store_that_was_moved_goes_on(store, client, monkeypatch, tmp_path):
    tracking.log(run_directory(store / "runs", result("tv"), steps=2))
    moved = tmp_path / "moved here"
    store.rename(moved)
    monkeypatch.setenv("BENCH_STORE", str(moved))
    assert mirror.untracked() == []
    assert [found.method for found in tracking.results()] == ["tv"]
    tracking.log(run_directory(moved / "runs", result("tgv"), steps=2))
    assert {found.method for found in tracking.results()} == {"tv", "tgv"}
    assert not store.exists()


def test_a_store_reached_by_a_link_is_the_same(store, client, monkeypatch, tmp_path):
    tracking.log(run_directory(store / "runs", result("tv"), steps=2))
    (tmp_path / "link").symlink_to(store)
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "link"))
    tracking.log(run_directory(store / "runs", result("tgv"), steps=2))
    assert mirror.untracked() == []
    monkeypatch.setenv("BENCH_STORE", str(store))
    assert {found.method for found in tracking.results()} == {"tv", "tgv"}


@pytest.mark.parametrize("name", ["a b", "a#b", "a%20b", "a?b=c", "a'b\"c", "äö 日本", "a&b;c@d:e"])
def test_any_path_will_do(template, monkeypatch, tmp_path, name):
    root = tmp_path / "in" / name / "store"
    root.mkdir(parents=True)
    shutil.copy(template, root / "mlflow.db")
    monkeypatch.setenv("BENCH_STORE", str(root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = run_directory(root / "runs", result("tv"), steps=2)
    tracking.log(run)
    assert mirror.tracked(run)
    assert [found.method for found in tracking.results()] == ["tv"]
    assert list((root / "artifacts").rglob("result.json"))
    assert [path.name for path in (tmp_path / "in").iterdir()] == [name]


def test_a_link_of_somebody_else_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "a?b"))
    monkeypatch.setattr(address.tempfile, "gettempdir", lambda: str(tmp_path))
    link = Path(address.default().removeprefix("sqlite:///")).parent
    link.unlink()
    link.symlink_to(tmp_path)
    with pytest.raises(BenchError, match="is another's"):
        address.default()


@pytest.mark.parametrize(
    ("number", "seconds"), [(signal.SIGKILL, 1.5), pytest.param(signal.SIGINT, 0.7, marks=pytest.mark.slow)]
)
def test_a_kill_while_the_database_is_made_leaves_nothing_half(empty, remade, number, seconds):
    """At moments of the making, counted from its first file."""
    process = subprocess.Popen([sys.executable, "-c", MAKE], stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(empty.glob(".tmp-*-mlflow.db")):
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(number)  # on a fast machine the database may have its name by now
    process.wait()
    assert not (empty / "mlflow.db").exists() or database.fault(empty / "mlflow.db") == ""
    with tracking.session() as server:
        assert server.find("tags.x = 'y'") == []
    assert not list(empty.glob(".tmp-*"))
    assert database.fault(empty / "mlflow.db") == ""


def test_a_full_disk_while_the_database_is_made_is_one_line(empty, monkeypatch):
    monkeypatch.setattr(tracking, "_newest", lambda: "")

    def full(path):
        path.write_bytes(b"half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tracking, "_make", full)
    with pytest.raises(tracking.Away, match="No space left on device") as caught:
        with tracking.session():
            pass
    assert "\n" not in str(caught.value)
    assert [path.name for path in empty.iterdir()] == ["mlflow.lock"]


def test_a_locked_database_waits_with_a_word(store, monkeypatch, capsys):
    monkeypatch.setattr(database, "WORD_AFTER", 0.1)
    run = run_directory(store / "runs", result("tv"), steps=2)
    with closing(sqlite3.connect(store / "mlflow.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(1.0, other.execute, ["ROLLBACK"]).start()
        tracking.log(run)
    assert mirror.tracked(run)
    told = capsys.readouterr().err
    assert told == f"bench: waiting for {store}/mlflow.db: another program has locked it\n"


def test_a_database_that_stays_locked_is_one_line(store, monkeypatch, capsys):
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    with closing(sqlite3.connect(store / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        lines = []
        assert tracking.log_all([run_directory(store / "runs", result("tv"), steps=2)], lines.append) == (0, 1)
    (line,) = lines
    assert "stayed locked for 0 s: another program has locked it" in line
    assert "Traceback" not in capsys.readouterr().err


def test_an_older_schema_is_brought_up_to_date_with_its_runs(store, client):
    run = run_directory(store / "runs", result("tv"), steps=2)
    tracking.log(run)
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config

    command.downgrade(_get_alembic_config(tracking.uri()), "-1")
    older = database.version(store / "mlflow.db")
    database._looked_at.clear()
    assert [found.method for found in tracking.results()] == ["tv"]
    assert database.version(store / "mlflow.db") == tracking._newest() != older
    assert not list(store.glob("mlflow.db.*"))
