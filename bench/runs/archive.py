"""Finished runs in one archive, for another machine: `bench export` packs run directories, `bench import` unpacks them.

Nothing in an archive tells of the machine it was made on: no owner of a file, and no folders in a traceback.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO

from bench.errors import BenchError
from bench.runs.privacy import without_folders
from bench.runs.records import Result, finished
from bench.runs.store import whole_directory

TRACKED = "tracked.json"  # the note of where a run was tracked, which is true of one machine alone

Add = Callable[[str, bytes, float], None]


def export(run_dirs: Sequence[Path], path: Path) -> None:
    """Write run directories to an archive, `.tar.gz` or `.zip` by its name, whole or not at all.

    Raises `BenchError` where a directory holds no run or the archive cannot be written.
    """
    results = [_checked(run_dir) for run_dir in run_dirs]
    scratch = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        with _writer(path, scratch) as add:
            for run_dir, result in zip(run_dirs, results, strict=True):
                time = datetime.fromisoformat(result.date).timestamp()
                for file in _files(run_dir):
                    content = file.read_bytes()
                    if file.suffix == ".txt":
                        content = without_folders(content.decode("utf-8", "replace")).encode()
                    add(f"{result.key}/{file.relative_to(run_dir).as_posix()}", content, time)
        scratch.replace(path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror or error}.") from None
    finally:
        scratch.unlink(missing_ok=True)


def unpack(path: Path, runs_dir: Path) -> list[Path]:
    """Add the runs of an archive, of a folder of run directories or of one run directory to ``runs_dir``.

    Returns the directory of every run that it holds, also of those that were there already: only a failed run is
    replaced. Raises `BenchError`, and adds nothing, where the archive is corrupt, unsafe or holds something else.
    """
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".tmp-{os.getpid()}-", dir=runs_dir) as scratch:
            if path.is_dir():
                whole = [path] if (path / "result.json").exists() else _visible(path)
            else:
                _extract(path, Path(scratch))
                whole = _visible(Path(scratch))
            if not whole:
                raise BenchError(
                    f"{path} holds no run. Give an archive of `bench export` or a folder of run directories."
                )
            for run_dir in whole:
                _checked(run_dir)
            return [_add(run_dir, runs_dir / run_dir.name) for run_dir in whole]
    except OSError as error:
        raise BenchError(f"cannot import {path}: {error.strerror or error}.") from None


def _add(run_dir: Path, target: Path) -> Path:
    if not finished(target) and run_dir.resolve() != target.resolve():
        with whole_directory(target) as scratch:
            for file in _files(run_dir):
                copy = scratch / file.relative_to(run_dir)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
    return target


def _checked(run_dir: Path) -> Result:
    result = Result.read(run_dir / "result.json")
    if result.key != run_dir.resolve().name:
        raise BenchError(f"{run_dir} holds the run {result.key}: a run directory is named by its key. Rename it.")
    return result


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(run_dir: Path) -> list[Path]:
    """The files of a run, less the note of where it was tracked, which is true of one machine alone."""
    return sorted(file for file in run_dir.rglob("*") if file.is_file() and file.name != TRACKED)


@contextmanager
def _writer(path: Path, scratch: Path) -> Iterator[Add]:
    """A function that adds a file, by name, content and time, to the archive at ``scratch``."""
    with ExitStack() as stack:
        if path.name.endswith(".zip"):
            zipped = stack.enter_context(zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED))

            def add(name: str, content: bytes, time: float) -> None:
                zipped.writestr(name, content)

        elif path.name.endswith((".tar.gz", ".tgz")):
            tar = stack.enter_context(tarfile.open(scratch, "w:gz"))

            def add(name: str, content: bytes, time: float) -> None:
                member = tarfile.TarInfo(name)  # owned by nobody, unlike what `tar.add` writes
                member.size, member.mtime = len(content), int(time)
                tar.addfile(member, io.BytesIO(content))

        else:
            raise BenchError(f"cannot tell the kind of archive from {path.name}: name it .tar.gz or .zip.")
        yield add


def _extract(path: Path, folder: Path) -> None:
    try:
        for name, file in _members(path):
            parts = PurePosixPath(name).parts
            if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or len(parts) < 2:
                raise BenchError(f"{path} is no archive of `bench export`: it holds {name!r}. Nothing was imported.")
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(file, out)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, UnicodeError) as error:
        raise BenchError(f"{path} is no archive, or a damaged one: {error}. Copy it anew.") from None


def _members(path: Path) -> Iterable[tuple[str, IO[bytes]]]:
    """The files of an archive, in its order; nothing but files and folders may be in it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    with zipped.open(info) as file:
                        yield info.filename, file
        return
    with gzip.open(path) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if member.isdir():
                    continue
                content = tar.extractfile(member) if member.isfile() else None
                if content is None:
                    raise BenchError(f"{path} is no archive of `bench export`: {member.name!r} is no file.")
                with content:
                    yield member.name, content
        while stream.read(1 << 20):
            pass  # the checksum stands at the very end
