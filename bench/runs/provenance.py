"""Where a number comes from: commit, source hash, package versions, device."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "tasks", "baselines")
# A change of one of these may move a score, so that they are part of a run's key.
VERSIONED = (
    "torch", "deepinv", "pytorch-lightning", "torchmetrics", "numpy", "scipy", "scikit-image", "optuna",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions of the packages that matter; empty for one that is missing."""

    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return ""

    return {name: installed(name) for name in VERSIONED}


@cache
def source_hash() -> str:
    """Hash of every Python file of the project."""
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def commit() -> tuple[str, bool]:
    """The commit of this code and whether it differs from that commit, `leaderboards/` left aside.

    Without git the commit is taken from ``BENCH_COMMIT=<commit>:<source hash>`` (`bench --version` prints it), and the
    code counts as changed where its hash differs.
    """
    if _git("rev-parse", "--show-toplevel") == str(ROOT):
        head = _git("rev-parse", "HEAD") or ""
        return head, bool(_git("status", "--porcelain", "--", ".", ":!leaderboards"))
    stated, _, expected = os.environ.get("BENCH_COMMIT", "").partition(":")
    return stated, expected != source_hash()


def sources(path: Path) -> dict[str, str]:
    """SHA-256 of a method's file and of every `baselines` module, or neighbour of the file, that it imports in turn."""
    found: dict[str, str] = {}
    pending = [path]
    while pending:
        file = pending.pop()
        text = file.read_bytes()
        name = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name
        if name in found:
            continue
        found[name] = hashlib.sha256(text).hexdigest()
        for module in _imported(text):
            neighbour = path.parent / f"{module}.py"
            if module.split(".")[0] == "baselines":
                spec = importlib.util.find_spec(module)
                if spec is not None and spec.origin:
                    pending.append(Path(spec.origin))
            elif neighbour.is_file():
                pending.append(neighbour)
    return found


def _imported(text: bytes) -> Iterable[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name))


def _is_module(package: str, name: str) -> bool:
    return package.split(".")[0] == "baselines" and (ROOT / package.replace(".", "/") / f"{name}.py").is_file()


def accelerator() -> str:
    """``cuda`` or ``cpu``, found out without initialising CUDA, so that a process may still fork."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def device_name(kind: str) -> str:
    """What the accelerator is: the GPU's name, or the processor's with the threads used."""
    import torch

    if kind == "cuda":
        # A process that has not initialised CUDA may have to fork, and must not do so here.
        return torch.cuda.get_device_name(0) if torch.cuda.is_initialized() else "cuda"
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def environment(kind: str) -> dict[str, str]:
    """Versions and platform of a run; no host or user names."""
    memory = "peak allocated on the GPU" if kind == "cuda" else "rise of resident size"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "peak_memory": memory,
        "source": source_hash(),
        **versions(),
    }
