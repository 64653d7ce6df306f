"""From a command line to specs: everything that a run depends on is frozen before anything starts."""

import shlex
import subprocess
from pathlib import Path

import pytest
import toy

from bench.contract import registry
from bench.errors import BenchError
from bench.runs.spec import parse_method


def test_specs_are_the_product_of_what_was_asked(plan, tmp_path, shrink):
    other = toy.method_file(tmp_path, "other", "return y")
    specs, failures = plan(shrink, other, tracks=("toy", "toy:exact"), seeds=[3, 4], limit=2, label="x")
    assert failures == 0
    assert {(spec.track, spec.method.name, spec.seed) for spec in specs} == {
        (track, name, seed) for track in ("toy:mini", "toy:exact") for name in ("shrink", "other") for seed in (3, 4)
    }
    assert len({spec.key for spec in specs}) == 8
    assert len({spec.group for spec in specs}) == 4
    assert {(tuple(spec.seeds), spec.limit, spec.label) for spec in specs} == {((3, 4), 2, "x")}


def test_a_track_without_its_data_is_told_once_and_its_runs_are_left_out(plan, lines, tmp_path, monkeypatch, shrink):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    specs, failures = plan(shrink, "tv", tracks=("denoising:bsd68-s25", "toy"))
    assert failures == 1
    assert {spec.track for spec in specs} == {"toy:mini"}
    (line,) = lines
    assert line.startswith("failed  denoising:bsd68-s25: data set 'bsd")


@pytest.mark.parametrize("label", ["Müller", "a/b", "a b", "x" * 300])
def test_a_label_that_cannot_name_a_file_is_refused_before_anything_runs(plan, store, shrink, label):
    with pytest.raises(BenchError, match="cannot name a file"):
        plan(shrink, label=label)
    assert not list((store / "runs").glob("*"))


def test_two_files_of_one_name_are_refused_in_one_command(plan, tmp_path, store):
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(toy.method_file(tmp_path / name, "mine", "return y"))
    with pytest.raises(BenchError, match=r"would both be the method 'mine'\. Rename one file\."):
        plan(*paths)


@pytest.mark.parametrize("where", ["below", "home", "elsewhere"])
def test_the_command_of_a_method_from_outside_names_a_file_that_is_there(toys, tmp_path, monkeypatch, where):
    """Also where it is typed again, whatever quotes stand around it."""
    folder = tmp_path / "a lab"
    folder.mkdir()
    path = toy.method_file(folder, "mine", "return y")
    here = tmp_path if where == "below" else tmp_path / "other"
    here.mkdir(exist_ok=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(folder if where == "home" else here))
    words = shlex.split(toy.spec(path).command)
    named = parse_method(words[words.index("-m") + 1])[0]
    assert named == {"below": "a lab/mine.py", "home": "~/mine.py", "elsewhere": path}[where]
    assert registry.method_file(named).path == Path(path)


def test_a_method_from_outside_has_its_own_commit_and_is_dirty_by_its_neighbours(toys, tmp_path):
    (tmp_path / "helper.py").write_text("A = 1\n")
    path = toy.method_file(tmp_path, "mine", "import helper\nreturn helper.A * y")
    assert toy.spec(path).dirty_reason.endswith("mine.py is in no git repository")
    for words in (["init"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-mx"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)
    spec = toy.spec(path)
    assert len(spec.method_commit) == 40
    assert "mine.py" not in spec.dirty_reason
    (tmp_path / "helper.py").write_text("A = 2\n")
    changed = toy.spec(path)
    assert changed.dirty_reason.endswith("helper.py")
    assert changed.method_commit == spec.method_commit != changed.commit
