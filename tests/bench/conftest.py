"""The toy task as an installed distribution, a store per test, and runs without MLflow."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy

from bench.tracking import mlflow as tracking


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
    """As if MLflow were not installed."""
    monkeypatch.setattr(tracking, "available", lambda: False)


@pytest.fixture
def signals() -> Iterator[None]:
    """`bench run` listens to SIGTERM; the test process goes on as before."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
