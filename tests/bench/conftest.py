"""The toy task as an installed distribution, a store per test, and runs without MLflow."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy

from bench.engines import processes
from bench.engines.freeze import freeze
from bench.engines.local import LocalEngine
from bench.engines.pending_runs import run_grid
from bench.runs.spec import Spec, Wish


@pytest.fixture(autouse=True)
def _imports(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The next test sees nothing of the method files that a test imports, of their neighbours or of their folders."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    made = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(made):
            del sys.modules[name]


@pytest.fixture
def toys(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """`toy:mini` and its siblings are found, here and in processes started from here."""
    folder = tmp_path_factory.mktemp("site")
    toy.install(folder)
    monkeypatch.syspath_prepend(str(folder))
    paths = [str(folder), str(toy.HOME), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MLflow, here and in processes started from here."""
    monkeypatch.setenv("BENCH_TRACKING", "off")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """`bench` listens to signals; the test process goes on as before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    processes._stop.signals.clear()
    processes._stop.raised = False
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def ready(toys: None, store: Path, untracked: None, signals: None) -> Path:
    """The store of a test that types `bench run`."""
    return store


@pytest.fixture
def shrink(tmp_path: Path) -> str:
    return toy.method_file(tmp_path, "shrink", toy.SHRINK)


@pytest.fixture
def lines() -> list[str]:
    """What a grid has reported."""
    return []


@pytest.fixture
def plan(toys: None, store: Path, untracked: None, lines: list[str]) -> Callable[..., tuple[list[Spec], int]]:
    """``plan(*methods, tracks=["toy"], **wish)``: the frozen specs, and the number of methods left out."""

    def plan(*methods: str, tracks: tuple[str, ...] = ("toy",), **wish: object) -> tuple[list[Spec], int]:
        asked = Wish(**({"seeds": [0]} | wish))
        return freeze(tracks, methods, asked, LocalEngine(2), lines.append, explicit_cpu=True)

    return plan


@pytest.fixture
def go(plan: Callable[..., tuple[list[Spec], int]], lines: list[str]) -> Callable[..., int]:
    """`plan`, and the runs of its specs; returns the number of failures."""

    def go(*methods: str, size: int = 2, force: bool = False, **options: object) -> int:
        specs, failures = plan(*methods, **options)
        return failures + run_grid(specs, LocalEngine(size), force=force, report=lines.append)

    return go
