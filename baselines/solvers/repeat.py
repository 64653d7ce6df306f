"""The same step again and again: on a GPU as one recorded graph, so that the device does not wait for Python.

An iteration on a small image is some twenty kernels of two microseconds each, and Python needs longer to start them
than the device to run them. A CUDA graph starts all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

UNRECORDED = 3  # steps before the recording: they make plans, handles and kernels
SHORT = 16  # fewer steps are not worth a recording


def unwatched(v: Tensor) -> None:
    """The watch of iterations into which nobody looks."""


def repeat(step: Callable[[], None], times: int, device: torch.device, recordable: bool) -> None:
    """Calls ``step`` ``times`` times. It reads and writes the same tensors each time, and may make others for itself.

    ``recordable`` says that it launches the same kernels each time and never waits for the device.
    """
    if device.type != "cuda" or not recordable or times < SHORT:
        for _ in range(times):
            step()
        return
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(UNRECORDED):
            step()
        graph = torch.cuda.CUDAGraph()
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            step()
        finally:
            graph.capture_end()
        for _ in range(times - UNRECORDED):
            graph.replay()
    torch.cuda.current_stream(device).wait_stream(side)
