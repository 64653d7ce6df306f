"""Archives that anyone may have made: each is unpacked within the store, or refused in one line and leaves nothing."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile

import pytest
from fabricate import result, run_directory

from bench.errors import BenchError
from bench.runs import unpacking
from bench.runs.archive import export, unpack

KEY = result("tv").key


def tar_of(path, *members, mode="w:gz"):
    """A tar of (name, content) or of ready-made headers."""
    with tarfile.open(path, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            header = tarfile.TarInfo(member[0])
            header.size = len(member[1])
            tar.addfile(header, io.BytesIO(member[1]))
    return path


def zip_of(path, *members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    return path


def special(kind, target="/etc/passwd"):
    header = tarfile.TarInfo(f"{KEY}/result.json")
    header.type, header.linkname = kind, target
    return header


def link_in_zip(path):
    info = zipfile.ZipInfo(f"{KEY}/result.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zip_of(path, (info, "/etc/passwd"))


def patched(path, what, replacement):
    path.write_bytes(path.read_bytes().replace(what, replacement))
    return path


def encrypted(path):
    zip_of(path, (f"{KEY}/a.txt", b"x" * 100))
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(magic) + offset] |= 1
    path.write_bytes(content)
    return path


def method_99(path):
    zip_of(path, (f"{KEY}/a.txt", b"x" * 100))
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        at = content.index(magic) + offset
        content[at : at + 2] = struct.pack("<H", 99)
    path.write_bytes(content)
    return path


def inside(tmp_path):
    return zip_of(tmp_path / "inner.zip", (f"{KEY}/a", b"x")).read_bytes()


NAMES = [
    "../evil", "/evil", "k/../../evil", "k/..", "evil", "k\\..\\evil", "C:/evil", "k/c:evil", "k/a\nb", "k/a\x7f",
    "./../evil", "k/./../../evil", "~/../../evil", "k/" + "x" * 300, "//evil/evil",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name, kind):
    make = zip_of if kind == "zip" else tar_of
    path = make(tmp_path / f"x.{kind}", (name, b"evil"))
    with pytest.raises(BenchError, match="Nothing was imported") as caught:
        unpack(path, tmp_path / "in" / "runs")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "in" / "runs").iterdir())
    assert [p.name for p in tmp_path.iterdir()] in ([path.name, "in"], ["in", path.name])


HOSTILE = {
    "symbolic link": (lambda p: tar_of(p / "x.tar.gz", special(tarfile.SYMTYPE)), "is no file"),
    "hard link": (lambda p: tar_of(p / "x.tar.gz", special(tarfile.LNKTYPE)), "is no file"),
    "character device": (lambda p: tar_of(p / "x.tar.gz", special(tarfile.CHRTYPE)), "is no file"),
    "block device": (lambda p: tar_of(p / "x.tar.gz", special(tarfile.BLKTYPE)), "is no file"),
    "pipe": (lambda p: tar_of(p / "x.tar.gz", special(tarfile.FIFOTYPE)), "is no file"),
    "link in a zip": (lambda p: link_in_zip(p / "x.zip"), "is no file"),
    "encrypted": (lambda p: encrypted(p / "x.zip"), "is encrypted"),
    "unknown compression in a zip": (lambda p: method_99(p / "x.zip"), "cannot be unpacked"),
    "nested": (lambda p: zip_of(p / "x.zip", ("inner.zip", inside(p))), "an archive in an archive"),
    "nested tar": (lambda p: tar_of(p / "x.tar.gz", ("runs.TAR.GZ", b"x")), "an archive in an archive"),
    "no name in a zip": (lambda p: zip_of(p / "x.zip", (zipfile.ZipInfo(""), b"x")), "without a name"),
    "no name in a tar": (lambda p: tar_of(p / "x.tar.gz", (".", b"x")), "without a name"),
    "twice": (lambda p: tar_of(p / "x.tar.gz", ("k/a", b"x"), ("k/a", b"y")), "twice"),
    "in two cases": (lambda p: zip_of(p / "x.zip", ("k/a", b"x"), ("k/A", b"y")), "twice, or in capital"),
    "a file and a folder": (lambda p: tar_of(p / "x.tar.gz", ("k/a", b"x"), ("k/a/b", b"y")), "cannot import"),
    "xz": (lambda p: tar_of(p / "x.tar.xz", ("k/a", b"x"), mode="w:xz"), "compressed by xz"),
    "bzip2": (lambda p: tar_of(p / "x.tar.bz2", ("k/a", b"x"), mode="w:bz2"), "compressed by bzip2"),
    "xz of anything": (lambda p: written(p / "x.xz", lzma.compress(b"x")), "compressed by xz"),
    "bzip2 of anything": (lambda p: written(p / "x.bz2", bz2.compress(b"x")), "compressed by bzip2"),
    "7-Zip": (lambda p: written(p / "x.7z", b"7z\xbc\xaf\x27\x1c rest"), "compressed by 7-Zip"),
    "RAR": (lambda p: written(p / "x.rar", b"Rar!\x1a\x07 rest"), "compressed by RAR"),
    "gzip of text": (lambda p: written(p / "x.tar.gz", gzip.compress(b"neither an archive")), "no archive"),
    "text": (lambda p: written(p / "x.zip", b"neither an archive"), "no archive"),
    "empty file": (lambda p: written(p / "x.zip", b""), "no archive"),
    "empty zip": (lambda p: zip_of(p / "x.zip"), "holds no run"),
    "only what a Mac adds": (lambda p: zip_of(p / "x.zip", ("__MACOSX/._a", b"x")), "holds no run"),
}


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_line(tmp_path, kind):
    make, rule = HOSTILE[kind]
    path = make(tmp_path)
    with pytest.raises(BenchError, match=rule) as caught:
        unpack(path, tmp_path / "runs")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "runs").iterdir())


def test_a_bomb_is_stopped_by_its_ratio(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "RATIO_FROM", 1 << 20)
    bomb = zip_of(tmp_path / "x.zip", ("k/zeros", bytes(40 << 20)))
    assert bomb.stat().st_size < 50_000
    with pytest.raises(BenchError, match="unpacks to more than"):
        unpack(bomb, tmp_path / "runs")
    bomb = tar_of(tmp_path / "x.tar.gz", *[(f"k/{i}", bytes(4 << 20)) for i in range(10)])
    with pytest.raises(BenchError, match="unpacks to more than"):
        unpack(bomb, tmp_path / "runs")


def test_size_and_number_have_limits(tmp_path, monkeypatch):
    many = [(f"k/{i}", b"x") for i in range(30)]
    monkeypatch.setattr(unpacking, "MOST_MEMBERS", 20)
    for path in (tar_of(tmp_path / "x.tar.gz", *many), zip_of(tmp_path / "x.zip", *many)):
        with pytest.raises(BenchError, match="more than 20 files"):
            unpack(path, tmp_path / "runs")
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1000)
    with pytest.raises(BenchError, match="unpacks to more than"):
        unpack(tar_of(tmp_path / "y.tar.gz", ("k/a", b"x" * 1001)), tmp_path / "runs")


def test_the_size_in_a_header_is_not_believed(tmp_path, monkeypatch):
    """A zip may state a small size and hold a large file."""
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1000)
    path = zip_of(tmp_path / "x.zip", ("k/a", b"x" * 5000), compression=zipfile.ZIP_STORED)
    patched(path, struct.pack("<II", 5000, 5000), struct.pack("<II", 5000, 10))
    with pytest.raises(BenchError):
        unpack(path, tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_a_mac_packs_anew_is_imported(tmp_path, kind):
    run = run_directory(tmp_path / "there", result("tv"))
    members = [("runs/.DS_Store", b"x"), (f"__MACOSX/runs/{KEY}/._result.json", b"x"), (f"runs/{KEY}/._data.json", b"")]
    members += [(f"runs/{KEY}/{f.relative_to(run)}", f.read_bytes()) for f in run.rglob("*") if f.is_file()]
    make = {"zip": zip_of, "tar": lambda path, *members: tar_of(path, *members, mode="w")}[kind]
    (imported,) = unpack(make(tmp_path / f"x.{kind}", *members), tmp_path / "here").run_dirs
    assert imported.name == KEY
    assert not [path for path in imported.rglob("*") if path.name.startswith(".")]


def test_every_truncation_of_an_archive_is_one_line(tmp_path):
    run = run_directory(tmp_path / "there", result("tv"))
    for name in ("x.zip", "x.tar.gz"):
        export([run], tmp_path / name)
        content = (tmp_path / name).read_bytes()
        for size in range(0, len(content), max(1, len(content) // 60)):
            (tmp_path / f"cut-{name}").write_bytes(content[:size])
            with pytest.raises(BenchError) as caught:
                unpack(tmp_path / f"cut-{name}", tmp_path / "here")
            assert "\n" not in str(caught.value)
        assert not list((tmp_path / "here").iterdir())
