"""`bench run` does what its options ask and tells failures by its exit status; `bench board` shows the runs."""

import json

import pytest
import toy

from bench.cli import main
from bench.engines import pending_runs
from bench.errors import BenchError


def test_a_data_set_that_is_missing_is_told_and_no_run_of_a_method(
    capsys, store, untracked, signals, monkeypatch, tmp_path
):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    assert main(["run", "mri:brain-r20", "-m", "direct", "-m", "tv", "--cpu"]) == 1
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert "failed  mri:brain-r20: data set 'cardiac-admmnet' lacks " in shown or "data set 'brain-istanet'" in shown
    assert not list((store / "runs").glob("*"))


def test_what_mlflow_does_not_hold_is_on_the_board(capsys, toys, store, tmp_path, monkeypatch):
    """Where logging failed, the run directory is the only record."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    toy.perform_here(toy.spec(toy.method_file(tmp_path, "shrink", toy.SHRINK)))
    assert main(["board", "--boards", str(tmp_path / "boards")]) == 0
    assert "shrink" in capsys.readouterr().out


def test_only_the_boards_that_are_asked_for_are_printed(capsys, toys, store, tmp_path):
    toy.perform_here(toy.spec(toy.method_file(tmp_path, "shrink", toy.SHRINK)))
    for track, shown in (("toy", True), ("toy:exact", False)):
        assert main(["board", track, "--boards", str(tmp_path / "boards")]) == 0
        assert ("shrink" in capsys.readouterr().out) == shown
    assert (tmp_path / "boards/toy/mini/shrink.json").exists()


def run(tmp_path, *words, body="return y"):
    return main(["run", "toy", "-m", toy.method_file(tmp_path, "mine", body), "--cpu", "--jobs", "1", *words])


def test_a_run_that_fails_makes_the_exit_status_one(ready, tmp_path, capsys):
    assert run(tmp_path) == 0
    assert run(tmp_path, body="return y[0]") == 1


def test_a_task_that_cannot_be_opened_is_a_row_that_tells_the_remedy(ready, tmp_path, capsys):
    path = toy.method_file(tmp_path, "mine", "return y")
    assert main(["run", "toy:absent", "toy", "-m", path, "--cpu", "--jobs", "1"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2
    assert "FAILED: data set 'toys' lacks one.png: run `bench data get toys`.  (key " in shown[0]
    assert "psnr" in shown[1]


def test_the_command_runs_tunes_learns_and_publishes_without_mlflow(ready, tmp_path, capsys):
    shrink = toy.method_file(tmp_path, "shrink", toy.SHRINK)
    network = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    bad = toy.method_file(tmp_path, "bad", "return y[0]")
    words = ["run", "toy", "-m", shrink, "-m", network, "-m", bad, "--seed", "0", "1", "--cpu", "--jobs", "2"]
    assert main(words) == 1
    assert main(["board", "--runs", str(ready / "runs"), "--boards", str(tmp_path / "boards")]) == 0
    assert sorted(path.name for path in (tmp_path / "boards/toy/mini").iterdir()) == [
        "bad.json", "net.json", "shrink.json",
    ]  # fmt: skip
    shown = capsys.readouterr().out
    assert "returned shape" in shown
    assert main(["board", "--boards", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again/README.md").read_text() == (tmp_path / "boards/README.md").read_text()


def test_options_reach_the_run(ready, tmp_path, capsys):
    assert run(tmp_path, "--limit", "2", "--label", "few", "--seed", "3") == 0
    (path,) = (ready / "runs").glob("*/result.json")
    result = json.loads(path.read_text())
    assert (result["limit"], result["label"], result["seed"], len(result["per_image"])) == (2, "few", 3, 2)
    assert "mine@few  seed 3" in capsys.readouterr().out


@pytest.mark.parametrize("control", ["defaults", "oracle"])
def test_a_control_is_asked_for_by_an_option_and_is_no_protocol_run(ready, tmp_path, capsys, shrink, control):
    assert main(["run", "toy", "-m", shrink, "--cpu", f"--{control}"]) == 0
    (path,) = (ready / "runs").glob("*/result.json")
    result = json.loads(path.read_text())
    assert (result["control"], result["label"], result["protocol"]) == (control, control, False)
    assert f"--{control}" in result["command"]
    assert f"shrink@{control}  seed 0" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--plan"]])
@pytest.mark.parametrize(
    ("tracks", "methods", "told"),
    [
        (["toy"], ["shrink"], "bench: preparing 1 method on 1 track\n"),
        (["toy", "toy:exact", "toy"], ["shrink", "other"], "bench: preparing 2 methods on 2 tracks\n"),
    ],
)
def test_a_command_tells_that_it_prepares_before_the_first_slow_step(
    ready, tmp_path, capsys, monkeypatch, words, tracks, methods, told
):
    seen = []

    def slow(**options):
        seen.append(capsys.readouterr())
        raise BenchError("no machine.")

    monkeypatch.setattr(pending_runs, "look_around", slow)
    for name in methods:
        words = [*words, "-m", toy.method_file(tmp_path, name, "return y")]
    assert main(["run", *tracks, *words]) == 2
    assert [(shown.out, shown.err) for shown in seen] == [("", told)]
    assert capsys.readouterr().err == "bench: no machine.\n"


def test_an_interrupt_says_that_nothing_is_lost(ready, tmp_path, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pending_runs, "run_grid", interrupt)
    assert run(tmp_path) == 130
    assert "finished runs are kept" in capsys.readouterr().err
