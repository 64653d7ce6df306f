"""Real data sets: where each file comes from, which bytes it must hold, and where it lies on this machine.

A data set is declared by a manifest, ``tasks/datasets/manifests/NAME.json``, and a set of published weights, named
``weights/NAME``, by ``baselines/weights/NAME.json``. Its files are looked for in ``$BENCH_DATA/NAME`` (a read-only data
root), then in the store's download folder ``$BENCH_STORE/data/NAME``, which `get` fills.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import BenchError, unknown
from bench.places import store

RAW = "https://raw.githubusercontent.com"
WEIGHTS = "weights"
ATTEMPTS = 2  # after a first download that failed


@dataclass(frozen=True)
class Origin:
    """A folder or a file of a public GitHub repository; the commit ``HEAD`` stands for its default branch."""

    commit: str
    path: str


@dataclass(frozen=True)
class Manifest:
    """A data set: its origin and terms, what keeps its splits apart, and the SHA-256 of every file."""

    name: str
    title: str
    repository: str  # owner/name on GitHub
    origins: Mapping[str, Origin]  # by local folder, "." for the top, or by file where it has another name there
    terms: str  # as stated by the repository
    split_unit: str
    citation: str
    note: str
    files: Mapping[str, str]  # relative path -> SHA-256
    method: str = ""  # whose weights these are
    trained_on: Sequence[str] = ()  # names of the data sets that the weights learned from
    training: str = ""  # the same in words

    def url(self, relative: str) -> str:
        path = PurePosixPath(relative)
        if relative in self.origins:
            origin = self.origins[relative]
            return f"{RAW}/{self.repository}/{origin.commit}/{origin.path}"
        origin = self.origins[str(path.parent)]
        return f"{RAW}/{self.repository}/{origin.commit}/{origin.path}/{path.name}"


@cache
def manifests() -> tuple[str, ...]:
    """The names of the declared data sets, and of the sets of published weights."""
    return tuple(sorted(_names(_folder()) + [f"{WEIGHTS}/{name}" for name in _names(_weights_folder())]))


@cache
def manifest(name: str) -> Manifest:
    """The manifest of a data set. Raises BenchError on an unknown name."""
    if name not in manifests():
        raise unknown("data set", name, manifests())
    kind, _, own = name.rpartition("/")
    folder = _weights_folder() if kind == WEIGHTS else _folder()
    fields = json.loads((folder / f"{own}.json").read_text(encoding="utf-8"))
    return Manifest(**fields | {"origins": {folder: Origin(**origin) for folder, origin in fields["origins"].items()}})


def file(name: str, relative: str) -> Path:
    """The verified file ``relative`` of a data set. Raises BenchError where it is missing or corrupt."""
    expected = _expected(name, relative)
    path = _find(name, relative)
    if path is None:
        raise _lacking(name, relative)
    if sha256(path) != expected:
        raise BenchError(f"{path} is corrupt (its SHA-256 is not the manifest's): {_repair(name, path)}")
    return path


def need(name: str) -> None:
    """Raise a `BenchError` where a file of a data set is missing; none is read."""
    for relative in manifest(name).files:
        if not any(_is_file(root / name / relative) for root in _roots()):
            raise _lacking(name, relative)


def check(name: str, files: Iterable[str] | None = None) -> list[str]:
    """What is wrong with a data set, or some files of it, on this machine, one line a file; empty if it is whole."""
    problems = []
    for relative in manifest(name).files if files is None else files:
        expected = _expected(name, relative)
        path = _find(name, relative)
        if path is None:
            problems.append(f"{relative} is missing")
        elif sha256(path) != expected:
            problems.append(f"{relative} is corrupt: {_repair(name, path)}")
    return problems


def get(name: str) -> Path:
    """Download what a data set lacks on this machine, with checksums, and return the download folder.

    Files that are already here, in either folder, are verified and not fetched again. Raises BenchError when offline.
    """
    declared = manifest(name)
    target = store() / "data" / name
    wanted = [relative for relative in declared.files if not _whole(name, relative)]
    if not wanted:
        return target

    import pooch
    from tqdm import tqdm

    pooch.get_logger().setLevel("ERROR")  # one bar for the set instead of a line a file
    download = pooch.create(
        path=target,
        base_url="",
        registry={relative: f"sha256:{sha256}" for relative, sha256 in declared.files.items()},
        urls={relative: declared.url(relative) for relative in declared.files},
        retry_if_failed=ATTEMPTS,
    )
    for relative in tqdm(wanted, desc=name, unit="file"):
        try:
            download.fetch(relative)
        except Exception as error:  # pooch passes on whatever the network library raises
            raise _download_error(declared, relative, error) from error
    return target


def _folder() -> Any:
    from importlib.resources import files

    return files("tasks") / "datasets" / "manifests"


def _weights_folder() -> Any:
    from importlib.resources import files

    return files("baselines") / "weights"


def _names(folder: Any) -> list[str]:
    """Names of the manifests in a folder."""
    return [path.name.removesuffix(".json") for path in folder.iterdir() if path.name.endswith(".json")]


def _roots() -> list[Path]:
    root = os.environ.get("BENCH_DATA")
    return [*([Path(root)] if root else []), store() / "data"]


def _expected(name: str, relative: str) -> str:
    files = manifest(name).files
    if relative not in files:
        raise unknown(f"file of data set {name!r}", relative, files)
    return files[relative]


def _find(name: str, relative: str) -> Path | None:
    """The file of the right bytes, else one of wrong ones."""
    paths = [path for path in (root / name / relative for root in _roots()) if _is_file(path)]
    return next((path for path in paths if sha256(path) == _expected(name, relative)), next(iter(paths), None))


def _is_file(path: Path) -> bool:
    """Whether a file is there. Raises BenchError where that can't be found out, as in a folder without permission."""
    try:
        return path.is_file()
    except OSError as error:
        raise BenchError(
            f"cannot look for {path}: {error.strerror}. Set BENCH_DATA to a folder that can be read."
        ) from None


def _whole(name: str, relative: str) -> bool:
    path = _find(name, relative)
    return path is not None and sha256(path) == _expected(name, relative)


def sha256(path: Path) -> str:
    """The SHA-256 of a file. Raises BenchError where it cannot be read."""
    try:
        stat = path.stat()
        return _hash(str(path), stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error


@cache
def _hash(path: str, mtime_ns: int, size: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lacking(name: str, relative: str) -> BenchError:
    return BenchError(f"data set {name!r} lacks {relative}: run `bench data get {name}`, or {_root_hint()}")


def _root_hint() -> str:
    hint, root = "set BENCH_DATA to a folder that holds it", os.environ.get("BENCH_DATA")
    if not root:
        return hint
    return f"{hint} (now {root}{'' if os.path.isdir(root) else ', which is no folder'})"


def _repair(name: str, path: Path) -> str:
    if path.is_relative_to(store()):
        return f"run `bench data get {name}`"
    return "put the original file there, or set BENCH_DATA to another folder"


def _download_error(declared: Manifest, relative: str, error: Exception) -> BenchError:
    import requests

    url = declared.url(relative)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return BenchError(f"cannot download {url}: the server answers {error.response.status_code}")
    if isinstance(error, requests.RequestException):
        here = f"{declared.name} lacks {relative} and {RAW} cannot be reached"
        return BenchError(f"{here}: go online and type the command again, or {_root_hint()}")
    if isinstance(error, OSError):
        return BenchError(f"cannot write {relative} of {declared.name}: {error.strerror or error}")
    return BenchError(f"{url} does not hold the bytes of the manifest (SHA-256 differs)")
