"""The folders are the registry: names without importing, and one thing imported by name."""

from __future__ import annotations

import ast
import fnmatch
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.contract.task import Task, Track
from bench.errors import BenchError, unknown
from bench.places import ROOT

if TYPE_CHECKING:
    from bench.contract.method import Method

FORMER_NAMES = {  # of methods, by which they may still be asked for
    "l2": "tikhonov",
    "piecewise_smooth": "mumford_shah",
    "ksvd_global": "ksvd_trained",
    "mod_global": "mod_trained",
    "ddtf_global": "ddtf_trained",
}
SHARED = ("site-packages", "dist-packages")  # folders of many distributions
JOINED = "+"  # between the name of a method and the one of its inner method
FAMILIES = ("handcrafted", "data_driven", "post_processing", "raw_to_image", "raw_to_task")


@dataclass(frozen=True)
class MethodFile:
    """Where a method is found: a file of a family folder, a file given by its path, or an installed entry point.

    A method with an inner method is named by both: ``two_stage+tv``.
    """

    name: str
    family: str
    path: Path | None = None
    entry_point: EntryPoint | None = None
    inner: str = ""  # the name of its inner method

    @property
    def summary(self) -> str:
        """The first line of the module's docstring, read without importing it."""
        if self.path is None:
            return ""
        try:
            docstring = ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8")))
        except (OSError, SyntaxError, ValueError):
            return "(cannot be read)"
        return (docstring or "").partition("\n")[0]


def _own(package: str) -> Path:
    """The folder of `tasks` or `baselines` beside `bench`; another package of that name on the path is passed over."""
    folder = ROOT / package
    if not folder.is_dir():
        raise BenchError(f"the package {package!r} is not beside {ROOT / 'bench'}. Install the repository again.")
    present = sys.modules.get(package)
    if present is None or list(getattr(present, "__path__", ())) != [str(folder)]:
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        spec.loader.exec_module(module)
    return folder


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def methods() -> dict[str, MethodFile]:
    """Every method by name; nothing is imported."""
    root = _own("baselines")
    found = {path.stem: MethodFile(path.stem, family, path) for family in FAMILIES for path in _modules(root / family)}
    for point in entry_points(group="reconbench.methods"):
        found.setdefault(point.name, MethodFile(point.name, "external", entry_point=point))
    return found


def method_file(name: str) -> MethodFile:
    """A method by its name, ``outer+inner`` where it has an inner method, or by the path of a Python file."""
    if name.endswith(".py") or "/" in name:
        path = (Path(name).expanduser() if name.startswith("~/") else Path(name)).resolve()
        if not path.is_file():
            raise BenchError(f"no method file {name!r}. Give the path of a Python file that holds one Method.")
        own = methods().get(path.stem)
        if own is not None and own.path != path:
            raise BenchError(f"{name!r} would pass for the method {path.stem!r} of the suite. Rename the file.")
        family = path.parent.name if path.parent.name in FAMILIES else "external"
        return MethodFile(path.stem, family, path)
    found = methods()
    outer, _, inner = name.partition(JOINED)
    if outer not in found:
        raise unknown("method", outer, found, FORMER_NAMES.get(outer))
    return replace(found[outer], name=name, inner=method_file(inner).name) if inner else found[outer]


def joined(outer: str, inner: str) -> str:
    """The name of a method with its inner method."""
    return f"{outer.partition(JOINED)[0]}{JOINED}{inner}"


def method_folder(name: str) -> Path | None:
    """The folder that a method's code and files lie in: the one of its file, or the package of its entry point.

    None for an entry point in a single module: the folder of that is shared with all other packages.
    """
    file = method_file(name)
    if file.path is not None:
        return file.path.parent
    assert file.entry_point is not None
    found = installed(file.entry_point)
    return found.package if found is not None else None


def absolute(name: str) -> str:
    """A method's name, or the absolute path of its file: a reference that another process understands."""
    file = method_file(name)
    return str(file.path) if name.endswith(".py") or "/" in name else name


def load_method(name: str) -> type[Method]:
    """Import one method: the one public `Method` class that its file defines."""
    file = method_file(name)
    try:
        if file.entry_point is not None:
            found = file.entry_point.load()
            if not _is_method(found):
                raise BenchError(f"the entry point {name} of reconbench.methods names {found!r}, no class of Method.")
            return found
        assert file.path is not None
        return _only_method(_import_file(file.path), file.name)
    except BenchError:
        raise
    except ModuleNotFoundError as error:
        raise BenchError(f"method {file.name} needs the package {error.name!r}. Install it with pip.") from error
    except (Exception, SystemExit) as error:
        raise _broken(f"method {file.name}", error) from error


def _broken(what: str, error: BaseException) -> BenchError:
    text = " ".join(str(error).split())
    return BenchError(f"{what} cannot be imported: {type(error).__name__}: {text}")


def _import_file(path: Path) -> ModuleType:
    root = _own("baselines")
    if path.is_relative_to(root):
        return importlib.import_module(".".join(("baselines", *path.relative_to(root).with_suffix("").parts)))
    module_name = f"reconbench_external_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise BenchError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    _own("tasks"), _own("baselines")  # before a neighbour of that name could be found
    sys.path.insert(0, str(path.parent))  # a file may import its neighbours
    spec.loader.exec_module(module)
    return module


def _only_method(module: ModuleType, name: str) -> type[Method]:
    own = {key: one for key, one in vars(module).items() if _is_method(one) and one.__module__ == module.__name__}
    classes = {one for key, one in own.items() if not key.startswith("_")}
    if len(classes) != 1:
        raise BenchError(f"method file {name} defines {len(classes)} public Method classes; it must define one.")
    return classes.pop()


def _is_method(found: Any) -> bool:
    from bench.contract.method import Method

    return isinstance(found, type) and issubclass(found, Method)


def tasks() -> dict[str, Callable[[], Task]]:
    """A loader for every task by name; task files import nothing heavy."""
    found: dict[str, Callable[[], Task]] = {}
    for path in _modules(_own("tasks")):
        found[path.stem] = lambda stem=path.stem: importlib.import_module(f"tasks.{stem}").TASK  # type: ignore[misc]
    for point in entry_points(group="reconbench.tasks"):
        found.setdefault(point.name, point.load)
    return found


def task_point(name: str) -> EntryPoint | None:
    """The entry point of a task from outside of this repository; None for one of ours, or where there is none."""
    if (ROOT / "tasks" / f"{name}.py").is_file():
        return None
    return next((point for point in entry_points(group="reconbench.tasks") if point.name == name), None)


@dataclass(frozen=True)
class Installed:
    """The code of an entry point: its module, the folder from which modules are named, and which of them are its own.

    Its own are the modules of its package and of every package of its distribution; in a folder that it shares with
    no other distribution (a project that is installed in editable form, say) all modules.
    """

    path: Path
    folder: Path
    tops: frozenset[str]  # of dotted names
    alone: bool  # in its folder

    @property
    def package(self) -> Path | None:
        """The folder of its package; None for a single module."""
        inside = self.path.relative_to(self.folder).parts
        return self.folder / inside[0] if len(inside) > 1 else None

    def owns(self, module: str) -> bool:
        return self.alone or module.partition(".")[0] in self.tops


def installed(point: EntryPoint) -> Installed | None:
    """The code of an entry point, found without importing it; None where there is no such Python file."""
    parts = point.module.split(".")
    try:
        spec = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError):
        return None
    for start in map(Path, filter(None, [*((spec and spec.submodule_search_locations) or ()), spec and spec.origin])):
        inside = start.joinpath(*parts[1:]) if start.is_dir() else start
        for path in (inside / "__init__.py", inside.with_suffix(".py")):
            if path.is_file():
                listed = (point.dist.files if point.dist is not None else None) or []
                tops = {one.parts[0].removesuffix(".py") for one in listed if one.suffix == ".py"} - {".."}
                alone = start.parent.name not in SHARED
                return Installed(path, start.parent, frozenset(tops | {parts[0]}), alone)
    return None


def load_task(name: str) -> Task:
    found = tasks()
    if name not in found:
        raise unknown("task", name, found)
    return _open(name, found[name])


def _open(name: str, load: Callable[[], Task]) -> Task:
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise _broken(f"task {name}", error) from error


def all_tracks() -> list[Track]:
    """The tracks of every task. A task that cannot be imported is told on standard error, and left out."""
    found: list[Track] = []
    for name, load in tasks().items():
        try:
            found += _open(name, load).tracks
        except BenchError as error:
            print(f"bench: {error}. It is left out.", file=sys.stderr)
    return found


def track(name: str) -> Track:
    """One track by ``task:track``; a bare task means its ``mini`` track."""
    task_name, _, track_name = name.partition(":")
    tracks = {track.name: track for track in load_task(task_name).tracks}
    track_name = track_name or "mini"
    if track_name not in tracks:
        raise unknown(f"track of {task_name}", track_name, tracks)
    return tracks[track_name]


def select_tracks(patterns: Iterable[str]) -> list[Track]:
    """Tracks by name, or by glob over ``task:track`` (``*:mini``, ``mri:*``), each once, in order."""
    selected: dict[str, Track] = {}
    for pattern in patterns:
        if any(character in pattern for character in "*?["):
            matches = [one for one in all_tracks() if fnmatch.fnmatchcase(one.id, pattern)]
            if not matches:
                raise BenchError(f"no track matches {pattern!r}. `bench list tasks` shows all.")
        else:
            matches = [track(pattern)]
        selected |= {one.id: one for one in matches}
    return list(selected.values())


def resolve(reference: str) -> Any:
    """The object that ``module:name`` refers to."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
