"""Data sets: manifests, verified files, downloads that resume, and one clear line for all that goes wrong."""

import errno
import gc
import hashlib
import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.data import manifest as data
from bench.errors import BenchError

CONTENT = {"a.bin": b"first", "masks/b.bin": b"second"}


@pytest.fixture
def declared(tmp_path, monkeypatch):
    """A data set ``toy`` in its own folder of manifests, with an empty store and no data root."""
    fields = dict.fromkeys(("title", "terms", "split_unit", "citation", "note"), "")
    fields |= {
        "name": "toy",
        "repository": "owner/toy",
        "origins": {".": {"commit": "abc", "path": "data"}, "masks": {"commit": "HEAD", "path": "m"}},
        "files": {path: hashlib.sha256(content).hexdigest() for path, content in CONTENT.items()},
    }
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "toy.json").write_text(json.dumps(fields))
    monkeypatch.setattr(data, "_folder", lambda: folder)
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    data.manifests.cache_clear()
    data.manifest.cache_clear()
    yield tmp_path / "store/data/toy"
    data.manifests.cache_clear()
    data.manifest.cache_clear()


@pytest.fixture
def origin(tmp_path, monkeypatch):
    """What stands for GitHub: the folder it serves and the requests it got."""
    root = tmp_path / "origin"
    for path, content in (("abc/data/a.bin", CONTENT["a.bin"]), ("HEAD/m/b.bin", CONTENT["masks/b.bin"])):
        target = root / "owner/toy" / path
        target.parent.mkdir(parents=True)
        target.write_bytes(content)
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data, "RAW", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(data, "ATTEMPTS", 0)
    yield root / "owner/toy", asked
    server.shutdown()
    thread.join()
    server.server_close()


def fill(folder):
    for path, content in CONTENT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_manifest_is_complete():
    assert set(data.manifests()) >= {
        "bsd400",
        "bsd68",
        "brain-istanet",
        "cardiac-admmnet",
        "siat31",
        "aapm12",
        "qsm2016",
        "msd-lung10",
        "totalseg",
    }
    for name in data.manifests():
        declared = data.manifest(name)
        assert declared.name == name
        assert declared.title
        assert declared.terms
        assert declared.split_unit
        assert declared.files
        for relative, sha256 in declared.files.items():
            assert len(sha256) == 64
            assert declared.url(relative).startswith("https://raw.githubusercontent.com/")
        for origin in declared.origins.values():
            assert origin.commit == "HEAD" or len(origin.commit) == 40
            assert origin.commit != "HEAD" or "default branch" in declared.note


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(BenchError, match="Did you mean") as caught:
        data.manifest("bsd86")
    assert "bsd68" in one_line(caught)
    with pytest.raises(BenchError, match=r"Did you mean .*test0\d1\.png"):
        data.file("bsd68", "test01.png")


def test_a_missing_file_names_itself_and_the_remedy(declared):
    with pytest.raises(BenchError) as caught:
        data.file("toy", "a.bin")
    message = one_line(caught)
    assert all(part in message for part in ("'toy'", "a.bin", "bench data get toy", "BENCH_DATA"))
    assert data.check("toy") == ["a.bin is missing", "masks/b.bin is missing"]


def test_files_are_found_in_the_data_root_first(declared, tmp_path, monkeypatch):
    fill(declared)
    fill(tmp_path / "root/toy")
    assert data.file("toy", "a.bin") == declared / "a.bin"
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "root"))
    assert data.file("toy", "masks/b.bin") == tmp_path / "root/toy/masks/b.bin"
    (tmp_path / "root/toy/a.bin").unlink()
    assert data.file("toy", "a.bin") == declared / "a.bin"
    assert data.check("toy") == []


def test_a_corrupt_file_is_one_line_even_if_it_was_whole_before(declared):
    fill(declared)
    path = data.file("toy", "a.bin")
    before = path.stat()
    path.write_bytes(b"fir5t")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(BenchError, match="corrupt") as caught:
        data.file("toy", "a.bin")
    assert str(path) in one_line(caught)
    assert "bench data get toy" in str(caught.value)
    assert len(data.check("toy")) == 1


def test_a_download_resumes_and_repairs(declared, origin, capsys):
    _, asked = origin
    declared.mkdir(parents=True)
    (declared / "a.bin").write_bytes(b"corrupt")
    assert data.get("toy") == declared
    assert data.check("toy") == []
    assert len(asked) == 2
    assert "toy" in capsys.readouterr().err
    data.get("toy")
    assert len(asked) == 2
    (declared / "masks/b.bin").unlink()
    data.get("toy")
    assert len(asked) == 3


def test_a_download_never_writes_into_the_data_root(declared, origin, tmp_path, monkeypatch):
    _, asked = origin
    root = tmp_path / "root"
    fill(root / "toy")
    (root / "toy/a.bin").unlink()
    monkeypatch.setenv("BENCH_DATA", str(root))
    data.get("toy")
    assert len(asked) == 1
    assert not (root / "toy/a.bin").exists()
    assert data.file("toy", "a.bin") == declared / "a.bin"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # pooch drops the connection of a refused download
def test_downloads_that_fail_are_one_line(declared, origin):
    served, _ = origin
    (served / "abc/data/a.bin").write_bytes(b"something else")
    with pytest.raises(BenchError, match="does not hold the bytes") as caught:
        data.get("toy")
    one_line(caught)
    assert not (declared / "a.bin").exists()
    (served / "abc/data/a.bin").unlink()
    with pytest.raises(BenchError, match="404") as caught:
        data.get("toy")
    one_line(caught)
    del caught
    gc.collect()


def test_being_offline_is_one_line(declared, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data, "RAW", "http://127.0.0.1:9")
    monkeypatch.setattr(data, "ATTEMPTS", 0)
    with pytest.raises(BenchError, match="go online") as caught:
        data.get("toy")
    one_line(caught)


@pytest.mark.parametrize("where", ["too long a name", "no permission"])
def test_a_data_root_that_cannot_be_read_is_one_line(declared, monkeypatch, tmp_path, where):
    monkeypatch.setenv("BENCH_DATA", "x" * 5000 if where == "too long a name" else str(tmp_path))
    if where == "no permission":  # which root does not meet

        def refuse(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(data.Path, "is_file", refuse)
    for look in (lambda: data.need("toy"), lambda: data.check("toy"), lambda: data.file("toy", "a.bin")):
        with pytest.raises(
            BenchError, match=r"cannot look for .* Set BENCH_DATA to a folder that can be read"
        ) as caught:
            look()
        assert "\n" not in str(caught.value)


def test_looking_up_data_imports_nothing_heavy():
    script = "import sys, bench.data.manifest as d; d.manifest('bsd68'); "
    script += "print({'torch', 'numpy', 'pooch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
