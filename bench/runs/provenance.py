"""Where a number comes from: commit, sources, package versions, device."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.contract import registry
from bench.contract.registry import Installed
from bench.errors import BenchError
from bench.places import ROOT

PACKAGES = ("bench", "tasks", "baselines")
TRACKED = (*PACKAGES, "pyproject.toml")
CODE = (".py", ".toml", ".json")  # and any file beside a baseline, which may read it
# A change of one of these may move a score, so that they are part of a run's key; but for torchmetrics, a reference in
# tests alone.
VERSIONED = (
    "torch", "deepinv", "pytorch-lightning", "torchmetrics", "numpy", "scipy", "scikit-image", "PyWavelets", "optuna",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions of the packages that matter; empty for one that is missing."""

    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return ""

    return {name: installed(name) for name in VERSIONED}


def scoring_versions() -> dict[str, str]:
    """The versions that move scores. torchmetrics serves as a reference in tests alone."""
    return {name: found for name, found in versions().items() if name != "torchmetrics"}


@cache
def source_hash() -> str:
    """Hash of every Python file of the project, comments and all."""
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of git for the repository of a folder, whatever repository the environment names."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        words = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.rstrip()


@cache
def commit() -> tuple[str, str]:
    """The commit of this code, and which of its files differ from it in words; "" where none does.

    ``BENCH_COMMIT=<commit>:<source hash>`` (`bench --version` prints it) names the commit of a copied tree. It counts
    where its hash is the hash of this code. Elsewhere git is asked.
    """
    stated, _, expected = os.environ.get("BENCH_COMMIT", "").partition(":")
    if stated and expected == source_hash():
        return stated, ""
    if _git(ROOT, "rev-parse", "--show-toplevel") == str(ROOT):
        head = _git(ROOT, "rev-parse", "HEAD") or ""
        status = _git(ROOT, "status", "--porcelain", "--untracked-files=all", "--", *TRACKED) or ""
        changed = [line[3:].strip('"') for line in status.splitlines()]
        return head, in_words([name for name in changed if name.endswith(CODE) or name.startswith("baselines/")])
    return stated, "code that BENCH_COMMIT does not name"


def commit_outside(files: Sequence[Path]) -> tuple[str, str]:
    """The commit of the repository that holds a method from outside, and which of its files differ from it in words.

    The first of the files is the method's own. Those that lie outside of its repository, and those that it ignores,
    are part of no commit.
    """
    folder = files[0].parent
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        return "", f"{files[0].name} is in no git repository"
    root = Path(top)
    inside = [path for path in files if path.resolve().is_relative_to(root)]
    words = ["status", "--porcelain", "--untracked-files=all", "--ignored", "--", *map(str, inside)]
    changed = [line[3:].strip('"') for line in (_git(folder, *words) or "").splitlines()]
    elsewhere = [f"{path.name} is outside of its git repository" for path in files if path not in inside]
    return _git(folder, "rev-parse", "HEAD") or "", in_words([*changed, *elsewhere])


def in_words(files: list[str]) -> str:
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def code_hash(text: bytes) -> str:
    """Hash of Python code without its comments, layout and docstrings: words move nothing.

    Every version of Python gives the same hash: fields of the syntax tree that are empty, such as the ones that newer
    versions add, do not count.
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                node.body = node.body[1:]
    return hashlib.sha256(_plain(tree).encode()).hexdigest()


def _plain(node: object) -> str:
    """A syntax tree as text, without positions in the file and empty fields."""
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        filled = (f"{name}={_plain(value)}" for name, value in fields if value is not None and value != [])
        return f"{type(node).__name__}({', '.join(filled)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_plain, node))}]"
    return repr(node)


def file_hash(path: Path) -> str:
    """Hash of a method's file: of code without its words, of any other file by its bytes.

    Raises `BenchError` where it cannot be read.
    """
    try:
        content = path.read_bytes()
        return code_hash(content) if path.suffix == ".py" else hashlib.sha256(content).hexdigest()
    except (OSError, SyntaxError, ValueError) as error:
        raise BenchError(f"{path.name} cannot be read: {error}.") from None


def source_path(name: str, folder: Path) -> Path:
    """The file that `relative_name` gave this name."""
    own = name.partition("/")[0] in PACKAGES and (ROOT / name).is_file()
    beside = folder / name if (folder / name).is_file() else folder.parent / name
    return ROOT / name if own else beside


def code_of(sources: Mapping[str, str]) -> str:
    """One hash of all sources of a method."""
    lines = (f"{name} {digest}\n" for name, digest in sorted(sources.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:20]


def sources(path: Path, package: str = "baselines") -> dict[str, str]:
    """``{file: code hash}`` of a Python file and of every module that it imports in turn, without importing one.

    Followed are modules of ``package`` and modules or packages that lie beside the file. Files that the class names in
    ``files = ("weights.pt",)`` count too. Files of this repository are named from its root, others from the folder of
    the file.
    """
    files = [*source_files(path, package), *filter(Path.is_file, declared_files(path))]
    return {relative_name(file, path.parent): file_hash(file) for file in files}


def declared_files(path: Path) -> list[Path]:
    """The files that the classes of a Python file name in a literal ``files = (...)``."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        for line in node.body if isinstance(node, ast.ClassDef) else ():
            targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
            value = getattr(line, "value", None)
            if any(isinstance(one, ast.Name) and one.id == "files" for one in targets) and isinstance(value, ast.Tuple):
                names = [one.value for one in value.elts if isinstance(one, ast.Constant)]
                found += [path.parent / name for name in names if isinstance(name, str)]
    return found


def method_sources(name: str) -> dict[str, str]:
    """The sources of a method, and of its inner method, as they are now, by its name.

    Raises `BenchError` where there is no such method.
    """
    file = registry.method_file(name)
    inner = method_sources(file.inner) if file.inner else {}
    return inner | sources(file.path) if file.path is not None else {}


def task_sources(name: str) -> dict[str, str]:
    """The sources of a task from outside of this repository. Our own tasks have versions instead, held by tests."""
    found = _installed_task(name)
    files = task_files(name)
    return {relative_name(file, found.folder): code_hash(file.read_bytes()) for file in files} if found else {}


def task_files(name: str) -> list[Path]:
    """The files of a task from outside of this repository, its own first."""
    found = _installed_task(name)
    return list(dict.fromkeys([found.path, *installed_files(found, "tasks")])) if found else []


def _installed_task(name: str) -> Installed | None:
    point = registry.task_point(name)
    return registry.installed(point) if point is not None else None


def installed_files(found: Installed, package: str = "baselines") -> list[Path]:
    """The Python files of an entry point: of its package, whether imported by name or not, and all that they import."""
    own = sorted(found.package.rglob("*.py")) if found.package is not None else []
    files = [path for path in source_files(found.path, package, found, also=own) if path.is_file()]
    return sorted(files)


def source_files(
    path: Path, package: str = "baselines", installed: Installed | None = None, also: Iterable[Path] = ()
) -> list[Path]:
    """The files that `sources` hashes, by the imports of a file and of ``also`` others.

    An ``installed`` file names modules from the folder of its package on, and those of its own distribution count.
    """
    folder = installed.folder if installed is not None else path.parent
    found: dict[Path, None] = {}
    pending = [path, *also]
    while pending:
        file = pending.pop()
        if file in found:
            continue
        found[file] = None
        try:
            modules = list(_imported(file, folder))
        except SyntaxError:
            continue
        for module in modules:
            if installed is None or installed.owns(module) or module.partition(".")[0] == package:
                pending += _files_of(module, folder, package)
    return sorted(found)


def relative_name(file: Path, folder: Path) -> str:
    """The name of a source: from the root of this repository, from the folder of its method, or from the one above."""
    base = next((base for base in (ROOT, folder, folder.parent) if file.is_relative_to(base)), file.parent)
    return file.relative_to(base).as_posix()


def _imported(file: Path, folder: Path) -> Iterator[str]:
    """Dotted names that a file imports, and names that may be modules of a package that it imports from."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative: from the folder of the file upwards
                above = file.parents[node.level - 1]
                inside = above.relative_to(folder).parts if above.is_relative_to(folder) else ()
                base = ".".join([*inside, *([base] if base else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _files_of(module: str, folder: Path, package: str) -> Iterable[Path]:
    """The files of a module of the package or beside the method: its own, and the `__init__` of every package above."""
    parts = module.split(".")
    root = ROOT if parts[0] == package else folder
    for length in range(1, len(parts) + 1):
        inside = root.joinpath(*parts[:length])
        if inside.with_suffix(".py").is_file():
            yield inside.with_suffix(".py")
        elif (inside / "__init__.py").is_file():
            yield inside / "__init__.py"


def device_name(kind: str) -> str:
    """What the accelerator is: the GPU's name, or the processor's with the threads used."""
    import torch

    if kind == "cuda":
        return torch.cuda.get_device_name(0)
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def environment() -> dict[str, str]:
    """Versions and platform of a run; no host or user names."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "source": source_hash(),
        **versions(),
    }
