"""What follows a recording that breaks off, with the part of `torch.cuda` that records played by the processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench import cuda_graphs
from bench.errors import BenchError


@pytest.mark.parametrize(("fails", "error"), [(1, RuntimeError), (2, BenchError)])
def test_after_a_recording_that_breaks_off_an_empty_one_sets_things_right(
    monkeypatch: pytest.MonkeyPatch, fails: int, error: type[Exception]
) -> None:
    recordings = []

    @contextmanager
    def graph(*_: Any, **__: Any) -> Iterator[None]:
        recordings.append(1)
        try:
            yield
        finally:
            if len(recordings) <= fails:
                raise RuntimeError("operation failed due to a previous error during capture")

    def work() -> None:
        raise RuntimeError("operation not permitted when stream is capturing.\nmore")

    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(reset=lambda: None))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(cuda_graphs, "BROKEN", [])
    with pytest.raises(error, match=r"not permitted when stream is capturing$|Set BENCH_RECORDED=off\.$"):
        cuda_graphs.record(work)
    assert len(recordings) == 2
    assert len(cuda_graphs.BROKEN) == 1
