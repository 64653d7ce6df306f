"""Finished runs in one archive, for another machine: `bench export` packs run directories, `bench import` unpacks them.

Nothing in an archive tells of the machine it was made on: no owner of a file, and no folders in a text. Every file of a
run is checked against the SHA-256 in its result, when it is packed and when it is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.errors import BenchError
from bench.places import whole_file
from bench.runs.privacy import private, without_folders
from bench.runs.records import Result, finished
from bench.runs.run_directory import LOCAL, RESULT, added_by_mac, fault, files, is_own, whole
from bench.runs.store import scratch_directory, whole_directory
from bench.runs.unpacking import copy, extract

TEXTS = (".txt",)  # files from which the folders of that machine are taken

Add = Callable[[str, bytes, float], None]


@dataclass
class Imported:
    """The directories of the runs that a source holds, and one line for each run that was refused."""

    run_dirs: list[Path] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def exportable(runs_dir: Path) -> tuple[list[Path], list[str]]:
    """The finished and whole runs of a store, and a line for each kind of directory that is left out."""
    chosen, left, failed, scratch = [], [], 0, 0
    for path in sorted(runs_dir.iterdir()) if runs_dir.is_dir() else ():
        if path.name.startswith("."):
            scratch += path.is_dir()
        elif not path.is_dir():
            continue
        elif reason := fault(path):
            left.append(reason)
        elif not finished(path):
            failed += 1
        else:
            chosen.append(path)
    left += [f"{failed} failed runs"] if failed else []
    left += [f"{scratch} directories of runs at work or stopped"] if scratch else []
    return chosen, left


def export(run_dirs: Sequence[Path], path: Path) -> None:
    """Write run directories to an archive, `.tar.gz` or `.zip` by its name, whole or not at all.

    Raises `BenchError` where a directory holds no whole run or the archive cannot be written.
    """
    results = [_named_by_key(run_dir) for run_dir in run_dirs]
    try:
        with whole_file(path) as scratch, _writer(path, scratch) as add:
            for run_dir, result in zip(run_dirs, results, strict=True):
                time = datetime.fromisoformat(result.date).timestamp()
                for name, content in _published(run_dir, result):
                    add(f"{result.key}/{name}", content, time)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror or error}.") from None


def unpack(path: Path, runs_dir: Path) -> Imported:
    """Add the runs of an archive, of a folder of run directories or of one run directory to ``runs_dir``.

    Runs that were there already are among the returned ones: only a failed or damaged one is replaced. A run whose
    record or files are at fault is refused in one line, and the others are added. Raises `BenchError`, and adds
    nothing, where an archive is damaged, unsafe or holds no run.
    """
    found = Imported()
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        with scratch_directory(runs_dir, "import") as scratch:
            folder = path
            if not path.is_dir():
                folder = scratch
                extract(path, folder)
            candidates = _run_directories(folder)
            if not any((run_dir / RESULT).exists() for run_dir in candidates):
                raise BenchError(
                    f"{path} holds no run. Give an archive of `bench export` or a folder of run directories."
                )
            for run_dir in candidates:
                try:
                    found.run_dirs.append(_add(run_dir, _named_by_key(run_dir), runs_dir))
                except BenchError as error:
                    found.refused.append(str(error).replace(f"{scratch}{os.sep}", f"{path}: "))
    except OSError as error:
        raise BenchError(f"cannot import {path}: {error.strerror or error}.") from None
    return found


def _add(run_dir: Path, result: Result, runs_dir: Path) -> Path:
    target = runs_dir / result.key
    if run_dir.resolve() != target.resolve() and (not finished(target) or fault(target)):
        with whole_directory(target) as scratch:
            for file in files(run_dir):
                if file.name not in LOCAL:
                    copy(file, scratch / file.relative_to(run_dir))
    return target


def _named_by_key(run_dir: Path) -> Result:
    result = whole(run_dir)
    if result.key != run_dir.resolve().name:
        raise BenchError(f"{run_dir} holds the run {result.key}: a run directory is named by its key. Rename it.")
    return result


def _run_directories(folder: Path) -> list[Path]:
    """The run directories of a folder: itself, the ones in it, or the ones in a folder of it."""
    if (folder / RESULT).exists():
        return [folder]
    inside = _visible(folder)
    deeper = [path for one in inside for path in _visible(one) if (path / RESULT).exists()]
    return deeper if deeper and not any((path / RESULT).exists() for path in inside) else inside


def _visible(folder: Path) -> list[Path]:
    names = (path for path in folder.iterdir() if path.is_dir())
    return sorted(path for path in names if not path.name.startswith(".") and not added_by_mac((path.name,)))


def _published(run_dir: Path, result: Result) -> Iterator[tuple[str, bytes]]:
    """The files of a run as others may see them, by name; the result comes last, with the hashes of these."""
    hashes = {name: digest for name, digest in result.files.items() if not is_own(name)}
    for file in files(run_dir):
        name = file.relative_to(run_dir).as_posix()
        if name in (RESULT, *LOCAL):
            continue
        content = file.read_bytes()
        if file.suffix in TEXTS:
            content = without_folders(content.decode("utf-8", "replace")).encode()
        if name in hashes:
            hashes[name] = hashlib.sha256(content).hexdigest()
        yield name, content
    fields = private(result.model_dump(mode="json", exclude={"files", "per_image"}))  # here they may name files
    yield RESULT, Result(**fields, files=hashes, per_image=result.per_image).to_json().encode()


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
