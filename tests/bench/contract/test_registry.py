"""The folders are the registry; a name that is not there, or a file that is broken, is one clear line."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import toy

from bench.contract import registry
from bench.errors import BenchError

EMBEDDED = [name for name in registry.tasks() if name != "organs"]  # its phantoms are for training alone


def write(folder: Path, text: str, name: str = "mine") -> str:
    path = folder / f"{name}.py"
    path.write_text(text)
    return str(path)


def refusal(call, *arguments) -> str:
    with pytest.raises(BenchError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_method_file_of_a_family_folder_is_found_with_its_family_and_summary():
    import baselines

    root = Path(baselines.__path__[0])
    files = {path.stem: path.parent.name for family in registry.FAMILIES for path in (root / family).glob("[!_]*.py")}
    found = {name: file for name, file in registry.methods().items() if file.path is not None}
    assert {name: file.family for name, file in found.items()} == files
    assert len(files) >= 3
    for name, file in found.items():
        assert file.summary, name
        assert "\n" not in file.summary


def test_every_method_that_is_found_can_be_loaded():
    from bench.contract.method import Method

    for name in registry.methods():
        assert issubclass(registry.load_method(name), Method)


def test_every_task_declares_a_mini_track_without_data():
    assert len(EMBEDDED) >= 6
    for name in EMBEDDED:
        track = registry.track(name)
        assert (track.task, track.name, track.data) == (name, "mini", ())


def test_track_names_are_unique_and_resolve_to_themselves():
    tracks = registry.all_tracks()
    assert len({track.id for track in tracks}) == len(tracks)
    assert all(registry.track(track.id) == track for track in tracks)


def test_globs_select_each_track_once_in_order():
    ids = [track.id for track in registry.select_tracks(["ct", "*:mini", "ct:*"])]
    assert ids[0] == "ct:mini"
    assert len(set(ids)) == len(ids)
    assert {f"{name}:mini" for name in EMBEDDED} <= set(ids)
    assert "ct:aapm12-60" in ids


@pytest.mark.parametrize(
    ("call", "name", "hint"),
    [
        (registry.track, "denoisng", "Did you mean denoising"),
        (registry.track, "denoising:bsd68-s26", "Did you mean bsd68-s25"),
        (registry.load_method, "tvv", "Did you mean tv"),
        (registry.load_method, "zzzzzz", "Known: "),
        (registry.load_method, "no/such/file.py", "Give the path of a Python file"),
        (lambda pattern: registry.select_tracks([pattern]), "zz*", "`bench list tasks`"),
    ],
)
def test_a_wrong_name_is_answered_with_a_remedy(call, name, hint):
    text = refusal(call, name)
    assert hint in text
    assert name.rpartition(":")[2] in text


@pytest.mark.parametrize(("former", "name"), registry.FORMER_NAMES.items())
def test_a_former_name_is_answered_with_the_new_one(former, name):
    assert refusal(registry.load_method, former) == f"no method is called {former!r}. Did you mean {name}?"
    assert name in registry.methods()


def test_a_file_is_a_method_from_its_path(tmp_path):
    path = toy.method_file(tmp_path, "mine", "return y")
    assert registry.load_method(path).__name__ == "Toy"
    assert registry.method_file(path).family == "external"


def test_a_file_must_not_pass_for_a_method_of_the_suite(tmp_path):
    assert "Rename the file." in refusal(registry.load_method, toy.method_file(tmp_path, "tv", "return y"))


def test_a_family_folder_elsewhere_counts_as_the_family(tmp_path):
    folder = tmp_path / "handcrafted"
    folder.mkdir()
    assert registry.method_file(toy.method_file(folder, "mine", "return y")).family == "handcrafted"


IMPORT = "from bench import Method\nfrom bench.contract.method import LearnedMethod\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import absent_package\n", "method mine needs the package 'absent_package'. Install it with pip."),
        ("def broken(:\n", "method mine cannot be imported: SyntaxError"),
        ("1 / 0\n", "method mine cannot be imported: ZeroDivisionError: division by zero"),
        ("raise RuntimeError('two\\nlines')\n", "method mine cannot be imported: RuntimeError: two lines"),
        ("raise SystemExit(0)\n", "method mine cannot be imported: SystemExit: 0"),
        (IMPORT + "class A(Method): ...\nclass B(Method): ...\n", "mine defines 2 public Method classes"),
        (IMPORT + "class _A(Method): ...\n", "mine defines 0 public Method classes"),
    ],
)
def test_a_broken_method_file_is_one_line(tmp_path, text, reason):
    assert reason in refusal(registry.load_method, write(tmp_path, text))


def test_imported_and_private_classes_are_not_counted(tmp_path):
    path = write(tmp_path, IMPORT + "class _Base(Method): ...\nclass Mine(_Base): ...\nalias = Mine\n")
    assert registry.load_method(path).__name__ == "Mine"


def test_a_neighbour_of_a_method_file_can_be_imported(tmp_path):
    write(tmp_path, "NAME = 3\n", "my_neighbour")
    path = write(tmp_path, IMPORT + "import my_neighbour\nclass Mine(Method):\n    value = my_neighbour.NAME\n")
    assert registry.load_method(path).value == 3


def test_a_file_that_cannot_be_read_is_listed_all_the_same(tmp_path):
    path = Path(write(tmp_path, "def broken(:\n"))
    assert registry.MethodFile("mine", "handcrafted", path).summary == "(cannot be read)"


def test_a_task_of_another_distribution_is_found(toys):
    assert registry.track("toy") == toy.MINI
    assert "toy:exact" in [track.id for track in registry.select_tracks(["toy:*"])]


def test_a_broken_task_of_another_distribution_is_one_line(tmp_path, monkeypatch):
    toy.install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setitem(sys.modules, "toy", None)
    assert "task toy " in refusal(registry.track, "toy")
    assert registry.track("denoising").name == "mini"


def test_names_are_found_without_importing_torch():
    code = "import sys; from bench.contract import registry as r; r.methods(); r.all_tracks(); "
    code += "print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_a_broken_task_leaves_the_others_to_be_listed(tmp_path, monkeypatch, capsys):
    toy.install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setitem(sys.modules, "toy", None)
    assert "denoising:mini" in [track.id for track in registry.all_tracks()]
    assert "bench: task toy cannot be imported: " in capsys.readouterr().err


def test_an_entry_point_that_names_no_method_is_one_line(monkeypatch):
    point = EntryPoint("mine", "bench.places:ROOT", "reconbench.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    assert "the entry point mine of reconbench.methods names" in refusal(registry.load_method, "mine")
