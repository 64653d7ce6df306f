"""The command line: one line and exit status 2 for what is wrong, and help whose examples can be typed."""

import errno
import os
import shlex
from importlib.metadata import entry_points

import pytest
import toy

from bench.cli import EPILOG, main, parser
from bench.contract import registry
from bench.runs import provenance


def refused(capsys, words) -> str:
    """The one line on stderr of a command that is wrong, beside the one that it prepares."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = [line for line in shown.err.splitlines() if not line.startswith("bench: preparing ")]
    assert line.startswith("bench: ")
    return line


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


def test_more_devices_than_there_are_is_refused_before_anything_runs(capsys, store, untracked, signals):
    shown = refused(capsys, ["run", "denoising", "-m", "tv", "--devices", "999", "--cpu"])
    assert "--devices 999: this machine has " in shown
    assert not list((store / "runs").glob("*"))


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


def test_the_command_is_installed():
    (point,) = entry_points(group="console_scripts", name="bench")
    assert point.load() is main
