"""The same step again and again: on a GPU as one recorded graph, so that the device does not wait for Python.

An iteration on a small image is some twenty kernels of two microseconds each, and Python needs longer to start them
than the device to run them. A CUDA graph starts all of them at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

UNRECORDED = 2  # steps before the recording: they make plans, handles and kernels
SHORT = 16  # fewer steps are not worth a recording


def unwatched(v: Tensor) -> None:
    """The watch of iterations into which nobody looks."""


def repeat(step: Callable[[], None], times: int, device: torch.device, recordable: bool) -> None:
    """Calls ``step`` ``times`` times. It reads and writes the same tensors each time, and may make others for itself.

    ``recordable`` says that it launches the same kernels each time. A step that waits for the device can't be recorded.
    PyTorch sees most ways to wait, copies to the CPU among them, and such a step is not recorded; it must not have
    changed its tensors before it waits. A way that PyTorch does not see ends in an error.
    """
    if device.type == "cuda" and recordable and times >= SHORT:
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            times -= recorded(step, times)
        torch.cuda.current_stream(device).wait_stream(side)
    for _ in range(times):
        step()


def recorded(step: Callable[[], None], times: int) -> int:
    """Does ``times`` steps on the current stream by a graph, or fewer where the step waits; the number done."""
    for _ in range(UNRECORDED - 1):
        step()
    if waits(step):
        return UNRECORDED - 1
    graph = torch.cuda.CUDAGraph()
    graph.capture_begin(capture_error_mode="thread_local")
    try:
        step()
    finally:
        graph.capture_end()
    for _ in range(times - UNRECORDED):
        graph.replay()
    return times


def waits(step: Callable[[], None]) -> bool:
    """Whether the step waits for the device, by PyTorch's own watch; where it does not, it is done."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that not all ways to wait are seen
        torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    except RuntimeError:
        return True
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return False
