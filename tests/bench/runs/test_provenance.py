"""Commit, sources and versions: enough to know what code made a number, and nothing about who ran it."""

import getpass
import hashlib
import socket
import subprocess
from pathlib import Path

import pytest

from bench.runs import provenance


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository of one committed file, taken for the project."""

    def git(*words):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "a.py").write_text("A = 1\n")
    git("init")
    git("config", "user.email", "a@b.c")
    git("config", "user.name", "a")
    git("add", ".")
    git("commit", "-m", "first")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    provenance.commit.cache_clear()
    provenance.source_hash.cache_clear()


def test_the_commit_is_that_of_the_repository(repository):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, text=True, capture_output=True).stdout.strip()
    assert provenance.commit() == (head, False)


@pytest.mark.parametrize(("name", "dirty"), [("bench/a.py", True), ("new.py", True), ("leaderboards/x.json", False)])
def test_a_changed_tree_is_dirty_but_leaderboards_are_left_aside(repository, name, dirty):
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("changed\n")
    assert provenance.commit()[1] is dirty


def test_without_git_the_commit_is_stated_and_checked(repository, monkeypatch):
    monkeypatch.setattr(provenance, "_git", lambda *arguments: None)
    monkeypatch.delenv("BENCH_COMMIT", raising=False)
    assert provenance.commit() == ("", True)
    for text, expected in ((f"abc:{provenance.source_hash()}", ("abc", False)), ("abc:wrong", ("abc", True))):
        monkeypatch.setenv("BENCH_COMMIT", text)
        provenance.commit.cache_clear()
        assert provenance.commit() == expected


def test_the_source_hash_follows_every_file(repository):
    before = provenance.source_hash()
    forget()
    assert provenance.source_hash() == before
    (repository / "bench" / "b.py").write_text("")
    forget()
    assert provenance.source_hash() != before


def test_sources_hold_the_file_and_the_baselines_modules_it_imports_in_turn():
    import baselines

    root = Path(baselines.__path__[0])
    found = provenance.sources(root / "handcrafted" / "tv.py")
    assert {
        "baselines/handcrafted/tv.py",
        "baselines/transforms/finite_differences.py",
        "baselines/solvers/primal_dual.py",
    } <= set(found)
    assert (
        found["baselines/transforms/finite_differences.py"]
        == hashlib.sha256((root / "transforms" / "finite_differences.py").read_bytes()).hexdigest()
    )
    assert not any(name.startswith(("bench/", "tasks/")) for name in found)


def test_sources_outside_are_named_without_their_folder(tmp_path):
    (tmp_path / "toy_part.py").write_text("import toy_further\n")
    (tmp_path / "toy_further.py").write_text("import toy_part\nimport numpy\n")
    (tmp_path / "mine.py").write_text("from toy_part import x\nfrom baselines.transforms import finite_differences\n")
    found = provenance.sources(tmp_path / "mine.py")
    assert {"mine.py", "toy_part.py", "toy_further.py", "baselines/transforms/finite_differences.py"} <= set(found)
    assert not any(str(tmp_path) in name for name in found)


def test_a_missing_package_has_an_empty_version(monkeypatch):
    monkeypatch.setattr(provenance, "VERSIONED", ("torch", "no-such-package"))
    found = provenance.versions()
    assert found["torch"]
    assert found["no-such-package"] == ""


def test_the_environment_names_no_host_and_no_user():
    told = f"{provenance.environment('cpu')} {provenance.device_name('cpu')}"
    assert "1 thread" in told
    assert socket.gethostname() not in told
    assert f"/{getpass.getuser()}" not in told
