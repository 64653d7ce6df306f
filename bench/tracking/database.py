"""MLflow's database in the store: made aside and renamed when whole, and made again where it is not.

It is a mirror: run directories are the truth, so that a damaged database is set aside and filled anew. A table of our
own, `bench`, holds the store's folder: MLflow keeps absolute paths of files, which are changed when a store has moved.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from bench.places import store
from bench.tracking.address import Away, database

TABLES = {"experiments", "experiment_tags", "runs", "params", "metrics", "latest_metrics", "tags", "alembic_version"}
PATIENCE = 30.0  # seconds to wait for a database that another program has locked
WORD_AFTER = 2.0  # seconds of waiting after which a word is said
CHECKED = 64 << 20  # bytes up to which all pages of a database are checked when it is opened
SIDE_FILES = ("-journal", "-wal", "-shm")

Make = Callable[[Path], None]

_looked_at: dict[Path, tuple[int, int] | None] = {}  # databases that this process has found whole


@contextmanager
def locked() -> Iterator[None]:
    """One process at a time: making a database and writing to SQLite don't bear company."""
    store().mkdir(parents=True, exist_ok=True)
    with (store() / "mlflow.lock").open("a") as lock:
        waiting = Waiting("another process logs to it")
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting.go_on()
        yield


class Waiting:
    """Waits in small steps, says so once, and raises `Away` in the end."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.start = time.monotonic()
        self.warned = False

    def go_on(self) -> None:
        waited = time.monotonic() - self.start
        if waited > PATIENCE:
            raise Away(f"{database()} stayed locked for {PATIENCE:.0f} s: {self.why}")
        if waited > WORD_AFTER and not self.warned:
            self.warned = True
            print(f"bench: waiting for {database()}: {self.why}", file=sys.stderr, flush=True)
        time.sleep(0.05)


def ready(make: Make, newest: Callable[[], str]) -> None:
    """See to it that the store has a whole database of the ``newest`` schema. The caller holds the lock.

    ``make(path)`` makes a database, or brings an older one to the newest schema. A database is looked at once.
    """
    path = database()
    wait_until_unlocked(path)
    found = identity(path)
    if found is not None and _looked_at.get(path) == found:
        return
    for left in store().glob(".tmp-*-mlflow.db*"):
        left.unlink(missing_ok=True)
    why = fault(path)
    if not why and version(path) != newest():
        why = renew(path, make)
    if why:
        if path.exists() and path.stat().st_size:
            set_aside(path, why)
        with aside(path) as scratch:
            make(scratch)
            settle(scratch)
    settle(path)
    _looked_at[path] = identity(path)


def identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names; None where it is missing or empty."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size else None


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A scratch path that takes the place of ``path`` when the block ends well."""
    scratch = path.with_name(f".tmp-{secrets.token_hex(6)}-{path.name}")
    try:
        yield scratch
        for suffix in SIDE_FILES:  # of a database that was deleted; SQLite would play it back into the new one
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        os.replace(scratch, path)
    finally:
        for suffix in ("", *SIDE_FILES):
            scratch.with_name(scratch.name + suffix).unlink(missing_ok=True)


def renew(path: Path, make: Make) -> str:
    """Bring an older database to the newest schema, on a copy; why that cannot be done, or ""."""
    try:
        with aside(path) as scratch:
            with closing(reading(path)) as old, closing(sqlite3.connect(scratch)) as new:
                old.backup(new)
            make(scratch)
        return ""
    except OSError:
        raise
    except Exception as error:  # whatever a migration meets: a newer MLflow's schema, one that was cut short
        return f"its schema {version(path)} cannot be brought to MLflow's: {' '.join(str(error).split())[:100]}"


def set_aside(path: Path, why: str) -> None:
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", *SIDE_FILES):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    line = f"{path} was set aside as {kept.name}: {why}. A new one is made; `bench import {store() / 'runs'}` fills it."
    print(f"bench: {line}", file=sys.stderr, flush=True)


def wait_until_unlocked(path: Path) -> None:
    """Wait while another program writes. Raises `Away` when that takes too long."""
    if not path.exists() or not path.stat().st_size:
        return
    waiting = Waiting("another program has locked it")
    while True:
        try:
            with closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                return
            waiting.go_on()
        except sqlite3.DatabaseError:
            return


def fault(path: Path) -> str:
    """Why a file is no whole database of MLflow; "" where it is one."""
    if not path.exists() or not path.stat().st_size:
        return "it is missing or empty"
    try:
        with closing(reading(path)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not names >= TABLES or connection.execute("SELECT count(*) FROM alembic_version").fetchone() != (1,):
                return "it was left half made"
            logged = connection.execute("SELECT 1 FROM tags WHERE key = 'bench.logged' LIMIT 1").fetchone()
            if logged and not (store() / "artifacts").is_dir():
                return "the files of its runs are gone"
            if path.stat().st_size <= CHECKED:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return "" if answer == "ok" else f"it is damaged ({answer.splitlines()[-1]})"
            return ""
    except sqlite3.OperationalError as error:
        if "malformed" in str(error):
            return f"it is damaged ({error})"
        raise
    except sqlite3.DatabaseError as error:
        return f"it is damaged ({error})"


def version(path: Path) -> str:
    with closing(reading(path)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=PATIENCE)


def settle(path: Path) -> None:
    """Note the store's folder in the database; where the store has moved, change the paths that MLflow keeps."""
    here = str(store().resolve())
    with closing(reading(path)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'bench'").fetchone()
        found = connection.execute("SELECT value FROM bench WHERE name = 'store'").fetchone() if known else None
    if found == (here,):
        return
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench (name TEXT PRIMARY KEY, value TEXT)")
        connection.execute("INSERT OR REPLACE INTO bench VALUES ('store', ?)", (here,))
        if found is not None:
            old, new = (artifacts(Path(folder)) for folder in (found[0], here))
            for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (new, len(old) + 1, len(old), old),
                )


def artifacts(root: Path) -> str:
    """The address of the folder in which MLflow keeps the files of runs."""
    return (root / "artifacts").as_uri()


def held() -> dict[str, str]:
    """``{key: hash of the result}`` of the runs that the database holds whole; of none where it can't be read."""
    try:
        seen = database().stat()
    except OSError:
        return {}
    return _held(database(), seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=1)
def _held(path: Path, time: int, size: int) -> dict[str, str]:
    query = """
        SELECT k.value, d.value FROM tags k
        JOIN tags d ON d.run_uuid = k.run_uuid AND d.key = 'bench.digest'
        JOIN tags l ON l.run_uuid = k.run_uuid AND l.key = 'bench.logged'
        JOIN runs r ON r.run_uuid = k.run_uuid AND r.lifecycle_stage = 'active'
        WHERE k.key = 'bench.key'"""
    try:
        with closing(reading(path)) as connection:
            return dict(connection.execute(query).fetchall())
    except sqlite3.Error:
        return {}
