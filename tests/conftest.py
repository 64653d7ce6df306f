"""Tests write to a store of their session, with one thread, and know of no MLflow server of the user's."""

import os
from collections.abc import Iterator

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share what is cached, such as phantoms
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_STORE", str(folder / "store"))
        for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
            patch.delenv(name)
        for name in ("BENCH_COMMIT", "BENCH_THREADS", "LOCAL_RANK"):
            patch.delenv(name, raising=False)
        yield
