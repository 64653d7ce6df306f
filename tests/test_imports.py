"""Imports run one way, tasks -> bench <- baselines, and what only names things imports nothing heavy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {"bench": {"tasks", "baselines"}, "tasks": {"baselines"}, "baselines": {"tasks"}}
HEAVY = ("torch", "mlflow", "pytorch_lightning", "deepinv", "optuna", "pandas", "scipy", "skimage", "numpy")
FAMILIES = {"handcrafted", "data_driven", "post_processing", "raw_to_image", "raw_to_task"}
# Rooms by package, upper ones first; a room imports from lower ones alone. Files of a package's own folder are rooms
# where they are named here, and together the room "" otherwise.
ROOMS = {
    "baselines": [FAMILIES, {"patches"}, {"solvers"}, {"networks"}, {"functionals"}, {"transforms"}, {""}],
    "tasks": [{""}, {"observers"}, {"datasets", "scanners"}, {"phantoms"}, {"physics", "metrics"}],
    "bench": [
        {"cli"}, {"commands"}, {"listing", "plan", "task_checks"}, {"engines"}, {"tracking"}, {"leaderboard", "panels"},
        {"runs"}, {"stability", "observation"},
        {"evaluation"}, {"data"}, {""}, {"contract"}, {"recorded_networks"}, {"places", "cuda_graphs"}, {"errors"},
    ],
}  # fmt: skip
MOST_FILES = 12  # of a room of the referee or of shared machinery; a family grows with its methods, `tasks` with tasks
MOST_LINES = 300  # of a file
FILES = sorted(path for package in FORBIDDEN for path in (ROOT / package).rglob("*.py"))


def imported(path: Path, top_level: bool = False) -> Iterator[str]:
    """The modules that a file imports, everywhere in it or when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in at_import(tree) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; write the package's name"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes outside of functions and of what only type checkers read."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tops(modules: Iterator[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_packages_import_one_way(path):
    assert not tops(imported(path)) & FORBIDDEN[path.relative_to(ROOT).parts[0]]


def room_of(module: str) -> str:
    """The room that a module of a package with rooms belongs to."""
    package, _, rest = module.partition(".")
    first = rest.partition(".")[0]
    return first if first in set().union(*ROOMS[package]) else ""


def level_of(package: str, room: str) -> int:
    return next(level for level, rooms in enumerate(ROOMS[package]) if room in rooms)


@pytest.mark.parametrize("path", [path for path in FILES if path.relative_to(ROOT).parts[0] in ROOMS], ids=name)
def test_rooms_import_downwards(path):
    package = path.relative_to(ROOT).parts[0]
    own = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for module in imported(path):
        if module.partition(".")[0] == package:
            there = room_of(module)
            downwards = level_of(package, own) < level_of(package, there)
            assert there == own or downwards, f"{name(path)} imports {module}, which stands above"


@pytest.mark.parametrize("package", ROOMS)
def test_every_folder_is_a_room_that_says_what_lives_there(package):
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    files = {room for room in set().union(*ROOMS[package]) if (ROOT / package / f"{room}.py").is_file()}
    assert {folder.name for folder in folders - {ROOT / package}} | {""} == set().union(*ROOMS[package]) - files
    for folder in folders:
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        assert text is not None, folder
        assert len(text.splitlines()) >= 3, folder
        limited = package != "tasks" and folder.name not in FAMILIES
        assert not limited or len(list(folder.glob("[!_]*.py"))) <= MOST_FILES, folder


def test_a_room_that_imports_upwards_would_be_found():
    """The arrows that were there once: from the contract and from runs upwards."""
    for above, below in (("engines", "runs"), ("data", "contract"), ("runs", "evaluation"), ("cli", "listing")):
        assert level_of("bench", above) < level_of("bench", below)
    assert room_of("bench.engines.pending_runs.freeze") == "engines"
    assert room_of("bench.errors.BenchError") == "errors"
    assert room_of("tasks.denoising") == room_of("bench.BenchError") == ""


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_is_too_long_to_be_read_at_once(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_methods_stand_in_the_folders_of_the_families():
    """Elsewhere stand only bases, from which the methods of the families are derived."""
    import importlib
    import inspect

    from bench.contract import registry
    from bench.contract.method import Method

    methods = [registry.load_method(found) for found in registry.methods()]
    for path in (path for path in (ROOT / "baselines").rglob("[!_]*.py") if path.parent.name not in FAMILIES):
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == module.__name__ and issubclass(value, Method):
                assert any(issubclass(method, value) for method in methods), f"{name(path)} holds a method"


def test_only_tracking_imports_mlflow():
    found = {name(path) for path in FILES if "mlflow" in tops(imported(path))}
    assert found == {"bench/tracking/mlflow.py", "bench/tracking/front.py"}
    assert not any("bench.tracking.front" in imported(path) for path in FILES)  # MLflow's server loads it


def test_tracking_imports_mlflow_only_where_it_is_used():
    assert "mlflow" not in tops(imported(ROOT / "bench/tracking/mlflow.py", top_level=True))


@pytest.mark.parametrize("path", [path for path in FILES if path.parent == ROOT / "tasks"], ids=name)
def test_a_task_declares_its_tracks_without_heavy_imports(path):
    assert not tops(imported(path, top_level=True)) & set(HEAVY)


def test_the_referee_names_no_task_and_no_method():
    """It reaches them through the registry: no name of one stands in its code."""
    from bench.contract import registry

    # `direct` is also a word of `bench.contract.operators`, `oracle` a control, `ct`, `mri` and `qsm` are modalities,
    # and a room's name may be a method's.
    names = {*registry.tasks(), *registry.methods()} - {"direct", "oracle", "ct", "mri", "qsm"}
    kinds_of_operators = {"toy_operators.py", "registry.py"}  # the latter answers to former names
    for path in (path for path in (ROOT / "bench").rglob("*.py") if path.name not in kinds_of_operators):
        strings = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        assert not strings & names, path


def loaded(code: str) -> set[str]:
    """The heavy modules in a fresh interpreter after ``code``."""
    words = [sys.executable, "-c", f"import sys\n{code}\nprint('LOADED', *sys.modules)"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return set(HEAVY) & set(shown.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    "line",
    ["list", "list --json", "--help", "run --help", "--version", "run denoisng -m tv", "run ct -m vt", "check tisue"],
)
def test_listing_helping_and_refusing_import_nothing_heavy(line):
    code = f"from bench.cli import main\ntry:\n    main({line.split()!r})\nexcept SystemExit: pass"
    assert loaded(code) == set()


def test_the_board_imports_neither_torch_nor_mlflow(tmp_path):
    (tmp_path / "runs").mkdir()
    words = ["board", "--runs", str(tmp_path / "runs"), "--boards", str(tmp_path / "boards")]
    found = loaded(f"from bench.cli import main\nmain({words!r})")
    assert not found & {"torch", "mlflow", "pytorch_lightning", "deepinv"}


def test_names_that_need_torch_are_imported_when_they_are_used():
    import bench

    assert loaded("import bench") == set()
    assert all(getattr(bench, word).__name__ == word for word in bench.__all__ if word != "Range")
    with pytest.raises(AttributeError, match="'bench' has no attribute 'Metod'"):
        bench.Metod  # noqa: B018
