"""Files out of an archive that anyone may have made: `.tar.gz`, `.tar` or `.zip`, within limits, and nothing but files.

An archive of `bench export` holds ``KEY/name``; one that was packed anew on another machine may hold a folder more.
"""

from __future__ import annotations

import gzip
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bench.errors import BenchError
from bench.runs.run_directory import added_by_mac

MOST_BYTES = 20 << 30  # unpacked
MOST_MEMBERS = 200_000
MOST_RATIO = 500  # unpacked bytes for one of the archive; text of numbers has about 10, a bomb of zeros 1000
RATIO_FROM = 1 << 28  # unpacked bytes from which on the ratio counts
BLOCK = 1 << 20
PACKED = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".7z", ".rar")
OTHERS = {b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "Zstandard", b"7z\xbc\xaf": "7-Zip", b"Rar!": "RAR"}
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError, struct.error)

Member = tuple[str, IO[bytes]]


def extract(path: Path, folder: Path) -> None:
    """Unpack an archive into a folder. Raises a `BenchError` of one line where it is damaged, unsafe or too large."""
    try:
        limit = min(MOST_BYTES, max(RATIO_FROM, MOST_RATIO * path.stat().st_size))
        left, seen = limit, set()
        for number, (name, file) in enumerate(_members(path), 1):
            if number > MOST_MEMBERS:
                raise BenchError(f"{path} holds more than {MOST_MEMBERS} files. Nothing was imported.")
            parts = _parts(path, name)
            if added_by_mac(parts):
                continue
            if len(parts) < 2:
                inner = "an archive in an archive: unpack it first" if name.lower().endswith(PACKED) else "in no folder"
                raise _refused(path, name, f"which is {inner}")
            if (folded := "/".join(parts).casefold()) in seen:
                raise _refused(path, name, "twice, or in capital and in small letters")
            seen.add(folded)
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                while block := file.read(BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise BenchError(
                            f"{path} unpacks to more than {limit / 2**30:.3g} GiB, which no runs of its size "
                            "do. Nothing was imported."
                        )
                    out.write(block)
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BenchError(f"{path} is no archive, or a damaged one: {reason}. Copy it anew.") from None


def _refused(path: Path, name: str, why: str) -> BenchError:
    return BenchError(f"{path} is no archive of `bench export`: it holds {name[:100]!r}, {why}. Nothing was imported.")


def _parts(path: Path, name: str) -> tuple[str, ...]:
    """The parts of a member's name. Raises `BenchError` where it could lead out of the folder, or names nothing."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if not parts:
        raise _refused(path, name, "a file without a name")
    if name.startswith("/") or ".." in parts or "\\" in name or any(":" in part for part in parts):
        raise _refused(path, name, "which may lie outside of the store")
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise _refused(path, name, "a name with control characters")
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts):
        raise _refused(path, name, "a name of more than 255 bytes")
    return parts


def _members(path: Path) -> Iterator[Member]:
    """The files of an archive, in its order; nothing but files and folders may be in it."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, kind in OTHERS.items():
        if head.startswith(magic):
            raise BenchError(f"{path} is compressed by {kind}, which is not read. Give a .tar.gz or a .zip.")
    if head[:2] == b"\x1f\x8b":
        with gzip.open(path) as stream:
            yield from _of_tar(path, stream)
            while stream.read(BLOCK):
                pass  # the checksum stands at the very end
    elif head[:2] == b"PK":
        yield from _of_zip(path)
    else:
        with path.open("rb") as plain:
            yield from _of_tar(path, plain)


def _of_tar(path: Path, stream: IO[bytes] | gzip.GzipFile) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            if member.isdir():
                _parts(path, member.name + "/.folder")
                continue
            content = tar.extractfile(member) if member.isreg() else None
            if content is None:
                raise _refused(path, member.name, "which is no file")
            with content:
                yield member.name, content


def _of_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as zipped:
        infos = zipped.infolist()
        if len(infos) > MOST_MEMBERS:
            raise BenchError(f"{path} holds more than {MOST_MEMBERS} files. Nothing was imported.")
        for info in infos:
            mode = info.external_attr >> 16
            if info.flag_bits & 1:
                raise BenchError(f"{path} is encrypted. Give an archive without a password.")
            if info.filename.endswith("/"):
                _parts(path, info.filename + ".folder")
                continue
            if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
                raise _refused(path, info.filename, "which is no file")
            try:
                with zipped.open(info) as file:
                    yield info.orig_filename, file
            except NotImplementedError as error:  # a compression that this Python does not have
                raise BenchError(f"{path} cannot be unpacked: {error}. Give a .tar.gz or a .zip.") from None
            except RuntimeError as error:
                raise BenchError(f"{path} cannot be unpacked: {error}.") from None


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
