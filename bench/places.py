"""Where things lie: the store (`BENCH_STORE`, by default `.bench` in the working directory) and its run directories."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parents[1]  # the folder that holds `bench`, `tasks` and `baselines`


def store() -> Path:
    """The root of everything that is written. Raises `BenchError` where the working directory is gone."""
    try:
        return Path(os.environ.get("BENCH_STORE") or ".bench").absolute()
    except FileNotFoundError:
        raise BenchError("the working directory was deleted. Change to another folder, or set BENCH_STORE.") from None


def runs() -> Path:
    """The folder of run directories, each named by its key."""
    return store() / "runs"


def partials() -> Path:
    """The folder of trainings that have not ended, each named by the key of its run."""
    return store() / "partial"


def partial(key: str) -> Path:
    """The folder of a run's training until the run directory is whole."""
    return partials() / key


def open_runs() -> Path:
    """The folder of run directories, made where it is missing. Raises `BenchError` where it cannot be made."""
    try:
        runs().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(runs(), error) from None
    return runs()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A scratch path that takes the place of ``path`` when the block ends well, and vanishes otherwise.

    Its name belongs to this process alone, of all machines that share the folder.
    """
    scratch = path.with_name(f".tmp-{secrets.token_hex(6)}-{path.name}")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def unwritable(folder: Path, error: OSError) -> BenchError:
    return BenchError(f"cannot write to {folder}: {error.strerror}. Set BENCH_STORE to a writable folder.")
