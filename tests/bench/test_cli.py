"""The command line: one line and exit status 2 for what is wrong, and listings that programs can read."""

import errno
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
import toy

from bench.cli import EPILOG, main, parser
from bench.contract import registry
from bench.engines import pending_runs
from bench.runs import provenance


def refused(capsys, words) -> str:
    """The one line on stderr of a command that is wrong."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("bench: ")
    assert shown.err.count("\n") == 1
    return shown.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["run", "denoisin", "-m", "tv"], "no task is called 'denoisin'. Did you mean denoising"),
        (["run", "ct:aapm12-6", "-m", "tv"], "no track of ct is called 'aapm12-6'. Did you mean aapm12-60"),
        (["run", "zz*", "-m", "tv"], "no track matches 'zz*'."),
        (["run", "ct", "-m", "vt"], "no method is called 'vt'. Did you mean "),
        (["run", "ct", "-m", "tv", "-m", "unett"], "no method is called 'unett'. Did you mean unet"),
        (["run", "ct", "-m", "no/file.py"], "no method file 'no/file.py'."),
        (["check", "unett"], "Did you mean unet"),
        (["list", "unett"], "no task, track or method is called 'unett'. Did you mean unet"),
        (["list", "ct:minni"], "Did you mean mini"),
        (["list", "tv", "--json"], "there are tasks and methods, not 'tv'"),
        (["run", "ct", "-m", "tv", "-m", "tv:lam"], "Write METHOD:name=value"),
        (["run", "ct", "-m", "unet", "--checkpoint", "abc"], "'abc' is the key of no finished run"),
        (["data", "check", "bsd86"], "Did you mean bsd68"),
        (["board", "--runs", "no/folder"], "no folder no/folder."),
        (["import", "no/archive.tar.gz"], "no/archive.tar.gz"),
        (["export", "runs.tar.gz"], "no finished runs in "),
    ],
)
def test_a_wrong_name_is_one_line(capsys, store, words, hint):
    assert hint in refused(capsys, words)


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("tv:lamb=0.1", "no hyperparameter of tv is called 'lamb'. Did you mean lam?"),
        ("tv:lam=strong", "tv:lam=strong is not a finite number"),
        ("tv:algorithm=pdgh", "pdgh"),
        ("tv:lam=-1", "tv:lam=-1 is negative"),
        ("tv:iterations=-5", "tv:iterations=-5 is negative"),
        ("ksvd:iterations=2.5", "ksvd:iterations=2.5 is not a whole number"),
        ("ksvd:iterations=many", "ksvd:iterations=many is not a finite number"),
        ("tv:lam", "Write METHOD:name=value"),
        ("tv --label Müller", "the label 'Müller' cannot name a file"),
        ("tv --label a/b", "the label 'a/b' cannot name a file"),
        (f"tv --label {'x' * 300}", "cannot name a file: it takes up to 120 letters"),
    ],
)
def test_a_wrong_hyperparameter_or_label_is_one_line_before_anything_runs(
    capsys, store, untracked, signals, method, hint
):
    assert hint in refused(capsys, ["run", "denoising", "-m", "direct", "-m", *method.split(), "--cpu"])
    assert not list((store / "runs").glob("*"))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["run", "ct"],
        ["run", "-m", "tv"],
        ["run", "ct", "-m", "tv", "--limit", "0"],
        ["run", "ct", "-m", "tv", "--devices", "-1"],
        ["run", "ct", "-m", "tv", "--seed", "one"],
        ["run", "ct", "-m", "tv", "--seed", "-1"],
        ["run", "ct", "-m", "tv", "--defaults", "--oracle"],
    ],
)
def test_a_wrong_command_exits_with_two(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_tasks_are_listed_for_programs(capsys):
    assert main(["list", "tasks", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert set(listing) == {"tasks"}
    tracks = {track.id: track for track in registry.all_tracks()}
    assert [entry["track"] for entry in listing["tasks"]] == list(tracks)
    for entry in listing["tasks"]:
        track = tracks[entry["track"]]
        assert entry["version"] == track.version
        assert entry["metrics"] == [metric.name for metric in track.metrics]
        assert entry["data"] == list(track.data)
        assert entry["title"] == track.title


def test_methods_are_listed_for_programs(capsys):
    assert main(["list", "methods", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert set(listing) == {"methods"}
    assert {entry["name"]: entry["family"] for entry in listing["methods"]} == {
        name: file.family for name, file in registry.methods().items()
    }
    assert all(set(entry) == {"name", "family", "summary"} for entry in listing["methods"])


def test_a_method_is_listed_with_its_hyperparameters(capsys):
    assert main(["list", "weighted_tv"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("weighted_tv (handcrafted): min_x ")
    assert re.search(
        r"^  lam +0\.01 +tuned from [\d.e-]+ to [\d.]+ \(log\), or from [\d.]+ to [\d.]+ \(log\)$", shown, re.MULTILINE
    )
    assert re.search(r"^  iterations +150$", shown, re.MULTILINE)


def test_a_task_is_listed_with_its_tracks_and_a_track_with_its_terms(capsys):
    assert main(["list", "ct"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        track.id for track in registry.load_task("ct").tracks
    ]
    assert main(["list", "mri:brain-r20"]) == 0
    shown = capsys.readouterr().out
    assert "psnr [dB]" in shown
    assert "12 trials on 4 validation images" in shown
    assert "the best of 20 looks at 16 validation images" in shown
    assert "Deep ADMM-Net" in shown


def test_more_devices_than_there_are_is_refused_before_anything_runs(capsys, store, untracked, signals):
    shown = refused(capsys, ["run", "denoising", "-m", "tv", "--devices", "999", "--cpu"])
    assert "--devices 999: this machine has " in shown
    assert not list((store / "runs").glob("*"))


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


def test_everything_is_listed_for_readers(capsys):
    assert main(["list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"tasks", "methods"}
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for name in [*(track.id for track in registry.all_tracks()), *registry.methods()]:
        assert f"  {name} " in shown


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["board", "--help"]])
def test_help_is_given(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert "usage: bench" in capsys.readouterr().out


@pytest.mark.parametrize("line", [line for line in EPILOG.splitlines() if line.startswith("  bench")])
def test_the_examples_can_be_typed(line):
    words = shlex.split(line.strip().partition("  ")[0])
    options = parser().parse_args(words[1:])
    if words[1] == "run":
        assert registry.select_tracks(options.tracks)


def test_the_version_says_what_a_machine_without_git_must_state(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert f":{provenance.source_hash()}\n" in capsys.readouterr().out


@pytest.fixture
def ready(toys, store, untracked, signals):
    return store


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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_store_that_cannot_be_made_is_one_line(ready, tmp_path, capsys, monkeypatch, number):
    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    path = toy.method_file(tmp_path, "mine", "return y")
    told = refused(capsys, ["run", "toy", "-m", path, "--cpu"])
    assert f"{os.strerror(number)}. Set BENCH_STORE to a writable folder." in told


def test_a_store_that_is_a_file_is_one_line(ready, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "file"))
    path = toy.method_file(tmp_path, "mine", "return y")
    assert "cannot write to " in refused(capsys, ["run", "toy", "-m", path, "--cpu"])


def test_an_interrupt_says_that_nothing_is_lost(ready, tmp_path, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pending_runs, "run_grid", interrupt)
    assert run(tmp_path) == 130
    assert "finished runs are kept" in capsys.readouterr().err


def test_a_reader_that_left_is_no_error():
    words = [sys.executable, "-c", "from bench.cli import main; raise SystemExit(main(['list']))"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def bench_in_a_shell(command, **environment):
    words = f"{sys.executable} -m bench.cli {command}"
    return subprocess.run(
        ["bash", "-c", words], capture_output=True, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_output_is_a_line_and_runs_go_on(ready, shrink):
    done = bench_in_a_shell("list >/dev/full")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    done = bench_in_a_shell(f"run toy -m {shrink} --cpu --limit 1 >/dev/full")
    assert done.stderr == "bench: the output cannot be written: No space left on device. The runs go on.\n"
    assert done.returncode == 1
    assert len(list((ready / "runs").glob("[0-9a-f]*"))) == 1


def test_runs_go_on_when_their_reader_has_left(ready, shrink):
    done = bench_in_a_shell(f"run toy -m {shrink} --cpu --limit 1 --seed 0 1 2 --jobs 1 | head -1")
    assert (done.stderr, len(done.stdout.splitlines())) == ("", 1)
    assert len(list((ready / "runs").glob("[0-9a-f]*"))) == 3


def test_letters_that_an_output_lacks_are_written_otherwise():
    done = bench_in_a_shell("list methods", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03bb" in done.stdout


def test_the_command_is_installed():
    (point,) = entry_points(group="console_scripts", name="bench")
    assert point.load() is main


HOSTILE = {  # what a shell may hold, none of which decides anything
    "SLURM_NTASKS": "4",
    "SLURM_JOB_ID": "1",
    "LOCAL_RANK": "1",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "nowhere",
    "OMP_NUM_THREADS": "7",
}


def test_the_surroundings_decide_nothing_and_the_command_itself_imports_nothing_heavy(ready, tmp_path, shrink):
    """A shell on a cluster, inside of another repository, with packages of our names first on every path."""
    here = tmp_path / "here"
    for name in ("tasks", "baselines"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise RuntimeError('another package')\n")
    subprocess.run(["git", "init"], cwd=here, check=True, capture_output=True)
    surroundings = HOSTILE | {"GIT_DIR": str(here / ".git"), "GIT_WORK_TREE": str(here)}
    path = os.pathsep.join([str(here), os.environ["PYTHONPATH"]])
    code = (
        "import sys\nfrom bench.cli import main\n"
        f"status = main(['run', 'toy', 'denoising', '-m', {shrink!r}, '-m', 'direct', '--limit', '1', '--cpu'])\n"
        "print('LOADED', *sys.modules)\nsys.exit(status)"
    )
    environment = dict(os.environ) | surroundings | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    shown, _, loaded = done.stdout.partition("LOADED")
    assert not {"torch", "deepinv", "pytorch_lightning", "mlflow", "optuna"} & set(loaded.split())
    assert shown.count("psnr") == 4
    found = [json.loads(path.read_text()) for path in (ready / "runs").glob("*/result.json")]
    assert {result["status"] for result in found} == {"ok"}
    head, _ = provenance.commit()
    assert {(result["commit"], result["threads"]) for result in found} == {(head, 1)}
