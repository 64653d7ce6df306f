"""Where things lie: the store (`BENCH_STORE`), its run directories and its cache."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    import numpy as np


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
OLD = "old"  # marks a directory that another one is about to replace


def store() -> Path:
    """The root of all that is written: `BENCH_STORE`, by default `.bench` in the working directory."""
    return Path(os.environ.get("BENCH_STORE") or ".bench").absolute()


def runs() -> Path:
    return store() / "runs"


def open_runs() -> Path:
    """The folder of run directories, made where it is missing. Raises `BenchError` where it cannot be."""
    try:
        runs().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(runs(), error) from None
    return runs()


def _unwritable(folder: Path, error: OSError) -> BenchError:
    return BenchError(f"cannot write to {folder}: {error.strerror}. Set BENCH_STORE to a writable folder.")


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """A scratch directory that becomes ``target``, replacing it, when the block ends well, and vanishes otherwise."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".tmp-{os.getpid()}-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target.parent, error) from None
    try:
        yield scratch
        scratch.chmod(0o755)
        old = target.with_name(f".tmp-{os.getpid()}-{OLD}-{target.name}")
        if target.exists():
            target.rename(old)
        try:
            scratch.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        remedy = " Free some space or set BENCH_STORE." if error.errno in NO_ROOM else ""
        raise BenchError(f"cannot write {target}: {error.strerror or error}.{remedy}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def clear_scratch(folder: Path) -> None:
    """Remove what killed processes left behind, but for a directory that was about to be replaced."""
    for path in folder.glob(".tmp-*"):
        _, pid, *rest = path.name.split("-", 3)
        if not pid.isdigit() or _alive(int(pid)):
            continue
        if rest[0] == OLD and not (folder / rest[1]).exists():
            path.rename(folder / rest[1])
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody waited for, as happens in containers, does not."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def code_hash(*modules: ModuleType) -> str:
    """Hash of the modules' sources: part of the key of what they make, so that changed code never finds old arrays."""
    sources = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in modules)
    return hashlib.sha256(sources.encode()).hexdigest()[:12]


def cached(kind: str, key: str, make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays from the cache, made and kept on first use. ``key`` is a hash of all that they depend on.

    A damaged file is made anew; a cache that cannot be written costs time, not the run.
    """
    import numpy as np

    path = store() / "cache" / f"{kind}-{key}.npz"
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        pass  # absent or damaged
    arrays = dict(make())
    scratch = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(scratch, **arrays)
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
    return arrays
