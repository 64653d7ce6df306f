"""Commit, sources and versions: enough to know what code made a number, and nothing about who ran it."""

import getpass
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


def head_of(repository) -> str:
    words = ["git", "rev-parse", "HEAD"]
    return subprocess.run(words, cwd=repository, text=True, capture_output=True, check=True).stdout.strip()


def test_the_commit_is_that_of_the_repository(repository):
    assert provenance.commit() == (head_of(repository), "")


def test_a_repository_that_the_environment_names_is_not_ours(repository, monkeypatch, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init"], cwd=other, check=True, capture_output=True)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert provenance.commit()[0]
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_WORK_TREE")
    assert provenance.commit() == (head_of(repository), "")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bench/a.py", "bench/a.py"),
        ("baselines/handcrafted/new.py", "baselines/handcrafted/new.py"),
        ("tasks/datasets/manifests/x.json", "tasks/datasets/manifests/x.json"),
        ("bench/new name.py", "bench/new name.py"),
        ("pyproject.toml", "pyproject.toml"),
        ("notes.txt", ""),
        ("new.py", ""),
        ("bench/notes.txt", ""),
        ("leaderboards/x.json", ""),
    ],
)
def test_changed_code_is_dirty_by_its_name_and_other_files_are_left_aside(repository, name, reason):
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("changed\n")
    assert provenance.commit() == (head_of(repository), reason)


def test_many_changed_files_are_counted(repository):
    for index in range(5):
        (repository / "bench" / f"b{index}.py").write_text("B = 1\n")
    assert provenance.commit()[1] == "bench/b0.py, bench/b1.py, bench/b2.py and 2 more"


def test_a_method_outside_is_committed_in_its_own_repository_or_not(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "part").mkdir()
    path, neighbour, weights = folder / "mine.py", folder / "part" / "helper.py", folder / "weights.pt"
    for file in (path, neighbour, weights):
        file.write_text("A = 1\n")
    files = [path, neighbour]
    assert provenance.commit_outside(files) == ("", "mine.py is in no git repository")
    for words in (
        ["init"],
        ["add", "mine.py", "part"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-mx"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    head = head_of(folder)
    assert provenance.commit_outside(files) == (head, "")
    neighbour.write_text("A = 2\n")
    assert provenance.commit_outside(files) == (head, "part/helper.py")
    assert provenance.commit_outside([path]) == (head, "")
    assert provenance.commit_outside([path, weights]) == (head, "weights.pt")
    (folder / ".gitignore").write_text("*.pt\n")
    assert provenance.commit_outside([path, weights]) == (head, "weights.pt")
    other = tmp_path_factory.mktemp("other") / "far.py"
    other.write_text("A = 1\n")
    assert provenance.commit_outside([path, other]) == (head, "far.py is outside of its git repository")


def test_without_git_the_commit_is_stated_and_checked(repository, monkeypatch):
    monkeypatch.setattr(provenance, "_git", lambda *arguments: None)
    monkeypatch.delenv("BENCH_COMMIT", raising=False)
    unknown = "code that BENCH_COMMIT does not name"
    assert provenance.commit() == ("", unknown)
    for text, expected in ((f"abc:{provenance.source_hash()}", ("abc", "")), ("abc:wrong", ("abc", unknown))):
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
    name = "transforms/finite_differences.py"
    assert found[f"baselines/{name}"] == provenance.code_hash((root / name).read_bytes())
    assert not any(name.startswith(("bench/", "tasks/")) for name in found)


def test_sources_outside_are_named_without_their_folder(tmp_path):
    (tmp_path / "toy_part.py").write_text("import toy_further\n")
    (tmp_path / "toy_further.py").write_text("import toy_part\nimport numpy\n")
    (tmp_path / "mine.py").write_text("from toy_part import x\nfrom baselines.transforms import finite_differences\n")
    found = provenance.sources(tmp_path / "mine.py")
    assert {"mine.py", "toy_part.py", "toy_further.py", "baselines/transforms/finite_differences.py"} <= set(found)
    assert not any(str(tmp_path) in name for name in found)


CODE = """
def f(x: float) -> float:
    y = x + 1
    return y
"""


@pytest.mark.parametrize(
    "same",
    [
        CODE + "# a comment\n",
        '"""Words."""\n' + CODE,
        CODE.replace("y = x + 1", '"""Words."""\n    y = x + 1'),
        CODE.replace("x + 1", "(x +\n         1)  # laid out otherwise"),
    ],
)
def test_comments_docstrings_and_layout_move_no_hash(same):
    assert provenance.code_hash(same.encode()) == provenance.code_hash(CODE.encode())


@pytest.mark.parametrize(
    "other",
    [
        CODE.replace("+ 1", "+ 2"),
        CODE.replace("+ 1", "+ 1.0"),
        CODE.replace("float:", "int:"),
        CODE.replace("f(", "g("),
        CODE + "'a string that is no docstring'\n",
    ],
)
def test_code_moves_the_hash(other):
    assert provenance.code_hash(other.encode()) != provenance.code_hash(CODE.encode())


def test_the_hash_of_all_sources_moves_with_each_name_and_each_file():
    one = provenance.code_of({"a.py": "1", "b.py": "2"})
    assert one == provenance.code_of({"b.py": "2", "a.py": "1"})
    others = [{"a.py": "1"}, {"a.py": "1", "b.py": "3"}, {"a.py": "1", "c.py": "2"}]
    assert one not in map(provenance.code_of, others)


def test_a_missing_package_has_an_empty_version(monkeypatch):
    monkeypatch.setattr(provenance, "VERSIONED", ("torch", "no-such-package"))
    found = provenance.versions()
    assert found["torch"]
    assert found["no-such-package"] == ""


def test_the_environment_names_no_host_and_no_user():
    told = f"{provenance.environment()} {provenance.device_name('cpu')}"
    assert "1 thread" in told
    assert socket.gethostname() not in told
    assert f"/{getpass.getuser()}" not in told


def test_files_that_a_class_names_count_among_its_sources(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('class Mine:\n    files: tuple = ("w.npy", "gone.npy")\n')
    (tmp_path / "w.npy").write_bytes(b"1")
    before = provenance.sources(path)
    assert sorted(before) == ["mine.py", "w.npy"]
    (tmp_path / "w.npy").write_bytes(b"2")
    assert provenance.sources(path)["w.npy"] != before["w.npy"]
