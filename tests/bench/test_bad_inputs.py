"""What users mistype or feed to `bench`: each is one clear line that names the value, and an exit status."""

import json
from pathlib import Path

import pytest
import toy
from fabricate import result, run_directory

from bench.cli import main
from bench.engines import processes

RUN = ("run", "toy", "-m")
KEY = result("tv").key
NUMBER = "is not a whole number above 0"
SEED = "is not a whole number from 0 to 4294967295"
LABEL = "cannot name a file: it takes up to 120 letters"

# (words, exit status, part of the line); files are those of `place`
BAD = [
    # commands and options
    ((), 2, "the following arguments are required: COMMAND"),
    (("rn",), 2, "invalid choice: 'rn'"),
    (("run",), 2, "the following arguments are required: TRACK, -m/--method"),
    (("run", "toy"), 2, "the following arguments are required: -m/--method"),
    (("run", "-m", "tv"), 2, "the following arguments are required: TRACK"),
    (RUN, 2, "argument -m/--method: expected one argument"),
    ((*RUN, "tv", "--nonsense"), 2, "unrecognized arguments: --nonsense"),
    ((*RUN, "tv", "--defaults", "--oracle"), 2, "--oracle: not allowed with argument --defaults"),
    (("list", "--jsn"), 2, "unrecognized arguments: --jsn"),
    # tracks
    (("run", "to", "-m", "tv"), 2, "no task is called 'to'. Did you mean toy"),
    (("run", "Toy", "-m", "tv"), 2, "no task is called 'Toy'. Did you mean toy?"),
    (("run", "toy:mni", "-m", "tv"), 2, "no track of toy is called 'mni'. Did you mean mini?"),
    (("run", "toy:mini:x", "-m", "tv"), 2, "no track of toy is called 'mini:x'. Did you mean mini?"),
    (("run", "*:nothing", "-m", "tv"), 2, "no track matches '*:nothing'. `bench list tasks` shows all."),
    (("run", "", "-m", "tv"), 2, "no task is called ''. Known: "),
    (("list", "nothing"), 2, "no task, track or method is called 'nothing'"),
    (("list", "toy:x"), 2, "no track of toy is called 'x'. Known: absent, exact, finding, mini."),
    (("time", "nothing"), 2, "no task is called 'nothing'"),
    (("time", "toy", "-m", "vt"), 2, "no method is called 'vt'. Did you mean "),
    # methods
    ((*RUN, "vt"), 2, "no method is called 'vt'. Did you mean "),
    ((*RUN, "TV"), 2, "no method is called 'TV'. Did you mean tv?"),
    ((*RUN, " tv"), 2, "no method is called ' tv'. Did you mean tv?"),
    ((*RUN, "tv unet"), 2, "no method is called 'tv unet'. Did you mean "),
    ((*RUN, ""), 2, "no method is called ''. Known: "),
    ((*RUN, "l2"), 2, "no method is called 'l2'. Did you mean tikhonov?"),
    ((*RUN, "absent.py"), 2, "no method file 'absent.py'. Give the path of a Python file"),
    ((*RUN, "folder/"), 2, "no method file 'folder/'. Give the path of a Python file"),
    ((*RUN, "./tv.py"), 2, "'./tv.py' would pass for the method 'tv' of the suite. Rename the file."),
    ((*RUN, "shrink.py", "-m", "other/shrink.py"), 2, "would both be the method 'shrink'. Rename one file."),
    ((*RUN, "two.py"), 1, "method file two defines 2 public Method classes; it must define one."),
    ((*RUN, "syntax.py"), 1, "method syntax cannot be imported: SyntaxError: "),
    (("check", "nothing"), 2, "no method or task is called 'nothing'"),
    (("check", "tisue"), 2, "no method or task is called 'tisue'. Did you mean tissue?"),
    (("check", "tissue:mni"), 2, "no track of tissue is called 'mni'. Did you mean mini?"),
    (("check", "tissue", "--device", "cuda"), 2, "--device cuda: tasks are checked on the CPU. Leave --device out."),
    (("check", "two.py"), 2, "method file two defines 2 public Method classes; it must define one."),
    # hyperparameters
    ((*RUN, "shrink.py:factor"), 2, "cannot read 'factor' in 'shrink.py:factor'. Write METHOD:name=value"),
    ((*RUN, "shrink.py:=1"), 2, "cannot read '=1' in 'shrink.py:=1'"),
    ((*RUN, "shrink.py:factor=1,factor=2"), 2, "gives 'factor' twice. Give one value."),
    ((*RUN, "shrink.py:facto=1"), 2, "no hyperparameter of shrink is called 'facto'. Did you mean factor?"),
    ((*RUN, "shrink.py:factor=x"), 2, "shrink:factor=x is not a finite number, and its default is 0.9."),
    ((*RUN, "shrink.py:factor=nan"), 2, "shrink:factor=nan is not a finite number"),
    ((*RUN, "shrink.py:factor=1e400"), 2, "shrink:factor=inf is not a finite number"),
    ((*RUN, "shrink.py:factor=None"), 2, "shrink:factor=None is not a finite number"),
    ((*RUN, "shrink.py:channels=3"), 2, "no hyperparameter of shrink is called 'channels'"),
    ((*RUN, "net.py:width=-1"), 2, "net:width=-1 is negative"),
    # numbers
    ((*RUN, "tv", "--seed"), 2, "argument --seed: expected at least one argument"),
    ((*RUN, "tv", "--seed", "-1"), 2, f"-1 {SEED}"),
    ((*RUN, "tv", "--seed", "1.5"), 2, f"1.5 {SEED}"),
    ((*RUN, "tv", "--seed", "0", "4294967296"), 2, f"4294967296 {SEED}"),
    ((*RUN, "tv", "--limit", "0"), 2, f"--limit: 0 {NUMBER}"),
    ((*RUN, "tv", "--limit", "-3"), 2, f"--limit: -3 {NUMBER}"),
    ((*RUN, "tv", "--steps", "ten"), 2, f"--steps: ten {NUMBER}"),
    ((*RUN, "tv", "--jobs", "0"), 2, f"--jobs: 0 {NUMBER}"),
    ((*RUN, "tv", "--devices", "0"), 2, f"--devices: 0 {NUMBER}"),
    ((*RUN, "tv", "--devices", "9999", "--cpu"), 2, "--devices 9999: this machine has "),
    (("verify", "entry.json", "--images", "0"), 2, f"--images: 0 {NUMBER}"),
    (("ui", "--port", "x"), 2, "argument --port: invalid int value: 'x'"),
    # labels
    ((*RUN, "shrink.py", "--label", "a/b"), 2, f"the label 'a/b' {LABEL}"),
    ((*RUN, "shrink.py", "--label", "Müller"), 2, f"the label 'Müller' {LABEL}"),
    ((*RUN, "shrink.py", "--label", "a b"), 2, f"the label 'a b' {LABEL}"),
    ((*RUN, "shrink.py", "--label", ".."), 2, f"the label '..' {LABEL}"),
    ((*RUN, "shrink.py", "--label", "x" * 300), 2, LABEL),
    # checkpoints
    ((*RUN, "net.py", "--checkpoint", "zz"), 2, "'zz' is the key of no finished run in "),
    ((*RUN, "net.py", "--checkpoint", ""), 2, "'' is the key of no finished run in "),
    ((*RUN, "net.py", "--checkpoint", "../x"), 2, "'../x' is the key of no finished run in "),
    ((*RUN, "net.py", "--checkpoint", KEY), 2, f"the run {KEY} is of tv, which net cannot go on from."),
    # data
    (("data", "steal"), 2, "invalid choice: 'steal'"),
    (("data", "get", "nothing"), 2, "no data set is called 'nothing'. Known: "),
    (("data", "check", "bsd69"), 2, "no data set is called 'bsd69'. Did you mean bsd68"),
    # boards, archives, entries
    (("board", "--runs", "absent"), 2, "no folder absent. Give --runs a folder of run directories."),
    (("board", "--runs", "text.txt"), 2, "no folder text.txt. Give --runs a folder of run directories."),
    (("board", "--boards", "text.txt"), 2, "cannot write text.txt/denoising/mini/tv.json: Not a directory."),
    (("export",), 2, "the following arguments are required: FILE.tar.gz"),
    (("export", "x.rar"), 2, "cannot tell the kind of archive from x.rar: name it .tar.gz or .zip."),
    (("export", "absent/x.zip"), 2, "cannot write absent/x.zip: No such file or directory."),
    (("import",), 2, "the following arguments are required: ARCHIVE|DIR"),
    (("import", "absent.zip"), 2, "cannot import absent.zip: No such file or directory."),
    (("import", "text.txt"), 2, "text.txt is no archive, or a damaged one: "),
    (("import", "folder"), 2, "folder holds no run. Give an archive of `bench export`"),
    (("import", "other"), 2, "other holds no run. Give an archive of `bench export`"),
    (("verify", "absent.json"), 2, "absent.json is not there. Give files of entries"),
    (("verify", "entry.json"), 1, "entry.json is no valid entry: task: Field required"),
    (("verify", "text.txt"), 1, "text.txt is no valid entry: invalid JSON"),
    (("verify", "folder"), 2, "folder is a folder. Give files of entries, such as leaderboards/ct/mini/tv.json."),
    (("verify", "binary.json"), 1, "cannot read binary.json: it is no text."),
    (("import", "binary.json"), 2, "binary.json is no archive, or a damaged one: "),
    ((*RUN, "binary.py"), 1, "method binary cannot be imported: SyntaxError: "),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of files that users might name, and a store with one run."""
    folder = tmp_path_factory.mktemp("place")
    toy.method_file(folder, "shrink", toy.SHRINK)
    toy.method_file(folder, "net", toy.TINY_NETWORK, "LearnedMethod")
    (folder / "other").mkdir()
    toy.method_file(folder / "other", "shrink", toy.SHRINK)
    (folder / "folder").mkdir()
    (folder / "two.py").write_text("from bench import Method\nclass A(Method): pass\nclass B(Method): pass\n")
    (folder / "tv.py").write_text("")
    (folder / "syntax.py").write_text("def (:\n")
    (folder / "text.txt").write_text("hello")
    (folder / "binary.json").write_bytes(bytes(range(128, 256)))
    (folder / "binary.py").write_bytes(bytes(range(128, 256)))
    (folder / "entry.json").write_text(json.dumps({}))
    run_directory(folder / "store" / "runs", result("tv"))
    return folder


def told(words, capsys) -> tuple[int, list[str]]:
    try:
        status = main(list(words))
    except SystemExit as error:
        status = error.code
    shown = capsys.readouterr()
    lines = (shown.out + shown.err).strip().splitlines()
    return status, [line for line in lines if not line.startswith("bench: preparing ")]


SETTINGS = {
    "BENCH_WORKERS": ("few", "BENCH_WORKERS=few is not a whole number. Set one, or unset it."),
    "BENCH_THREADS": ("0", "BENCH_THREADS=0 is not a positive whole number. Set one, or unset it."),
    "BENCH_RECORDED": ("1", "BENCH_RECORDED=1 is neither on nor off. Set one, or unset it."),
    "BENCH_TRACKING": ("false", "BENCH_TRACKING=false is neither on nor off. Set one, or unset it."),
}


@pytest.mark.usefixtures("toys", "signals")
@pytest.mark.parametrize("name", SETTINGS)
def test_a_bad_setting_is_told_before_a_run_starts(name, place, monkeypatch, capsys):
    value, message = SETTINGS[name]
    monkeypatch.chdir(place)
    monkeypatch.setenv("BENCH_STORE", str(place / "store"))
    monkeypatch.setenv(name, value)
    assert told((*RUN, "net.py"), capsys) == (2, [f"bench: {message}"])
    assert [path.name for path in Path("store/runs").iterdir()] == [KEY]


def test_there_are_enough_of_them():
    assert len(BAD) >= 60
    assert len({words for words, _, _ in BAD}) == len(BAD)


@pytest.mark.usefixtures("toys", "signals", "untracked")
@pytest.mark.parametrize(("words", "status", "part"), BAD, ids=[" ".join(words)[:60] or "nothing" for words, *_ in BAD])
def test_a_bad_input_is_one_clear_line(words, status, part, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setenv("BENCH_STORE", str(place / "store"))
    monkeypatch.setattr(processes, "START_METHOD", "fork")  # from this process, which has the libraries: no CUDA here
    found, lines = told(words, capsys)
    assert found == status
    (line,) = [line for line in lines if part in line]
    assert line.startswith(("bench: ", "failed  ")) or words[0] == "verify"
    others = [one for one in lines if one != line]
    assert all(one == "0 of 1 entries agree" for one in others), others
    assert sorted(path.name for path in Path("store/runs").iterdir()) == [KEY]
