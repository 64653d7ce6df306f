"""Skips tests marked `data(NAME, ...)` where a data set is not on this machine."""

import pytest

from bench.data.manifest import check


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "data(*names): reads real data sets, and is skipped where they are missing")


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = [name for mark in item.iter_markers("data") for name in mark.args]
    lacking = [name for name in names if any(problem.endswith("is missing") for problem in check(name))]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}: set BENCH_DATA or run `bench data get`")
