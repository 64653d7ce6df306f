"""From a command line to specs: everything that a run depends on is frozen before anything starts."""

import pytest
import toy

from bench.errors import BenchError


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
