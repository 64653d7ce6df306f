"""Work of a GPU as CUDA graphs, which Python starts at once in place of hundreds of small kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar

import torch

from bench.errors import BenchError

BROKEN: list[torch.cuda.CUDAGraph] = []
T = TypeVar("T")


def try_once(work: Callable[[], Any]) -> None:
    """Do the work that is to be recorded, so that its kernels are made.

    Raises RuntimeError where the process would wait for the device, which a graph can't, as far as PyTorch sees that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that not all ways to wait are seen
        torch.cuda.set_sync_debug_mode("error")
    try:
        work()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def record(work: Callable[[], Any], pool: Any = None) -> tuple[torch.cuda.CUDAGraph, Any]:
    """The graph of some work, and what it returned: tensors that are filled when the graph is replayed.

    To be called on a stream that is not the default one. Graphs that follow one another share a memory ``pool``. Other
    threads may use the GPU meanwhile. Raises RuntimeError where the recording breaks off.
    """
    graph, pool = torch.cuda.CUDAGraph(), pool or torch.cuda.graph_pool_handle()
    try:
        with recording_to(graph, pool):
            returned = work()
    except RuntimeError as error:
        mend(graph, pool)
        raise RuntimeError(reason(error.__context__ or error)) from error  # the first error, of which others follow
    return graph, returned


def recording_to(graph: torch.cuda.CUDAGraph, pool: Any = None) -> AbstractContextManager[None]:
    stream = torch.cuda.current_stream()
    return torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local")


def mend(broken: torch.cuda.CUDAGraph, pool: Any) -> None:
    """After a recording that broke off, which PyTorch 2.11 takes to go on.

    Its allocator is told the end, and its random numbers see it with the end of the next recording. Raises `BenchError`
    where that can't be recorded either.
    """
    BROKEN.append(broken)  # allocators go on asking it
    private: Any = torch._C
    device = torch.cuda.current_device()
    with suppress(RuntimeError):
        broken.reset()
    with suppress(RuntimeError, AttributeError):  # the end was seen; there is no such function
        private._cuda_endAllocateToPool(device, pool)
        private._cuda_releasePool(device, pool)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is empty
            with recording_to(torch.cuda.CUDAGraph()):
                pass
    except RuntimeError as error:
        raise BenchError(f"recordings on this GPU break off: {reason(error)}. Set BENCH_RECORDED=off.") from error


def reason(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["?"])[0].rstrip(".")


def attempted(make: Callable[[], T], without: str) -> T | None:
    """What ``make`` records; None where it can't, with a warning that begins with what happens ``without``."""
    try:
        return make()
    except RuntimeError as error:
        warnings.warn(f"{without}: {reason(error)}", stacklevel=3)
        return None


@contextmanager
def aside(device: torch.device) -> Iterator[None]:
    """On a stream of its own, which waits for the current one and is waited for."""
    here, side = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    side.wait_stream(here)
    try:
        with torch.cuda.stream(side):
            yield
    finally:
        here.wait_stream(side)
