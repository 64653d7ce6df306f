"""How an operator is put on its device without waiting for it.

deepinv's operators and noise models copy a number to their device when they are built there, and the process waits
until it has arrived: in a training, for all work of the step before, with each batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from deepinv.physics import LinearPhysics
from deepinv.physics.noise import NoiseModel
from torch import Tensor


def put_on(operator: LinearPhysics, device: torch.device | str) -> None:
    """Put an operator that was built on the processor on ``device``, where the parts that it was given are already."""
    operator._device_holder = zero(torch.device(device))
    operator.to(device)


@cache
def zero(device: torch.device) -> Tensor:
    return torch.tensor(0.0, device=device)


def on_each_device(model: Callable[[], NoiseModel]) -> Callable[[torch.device], NoiseModel]:
    """What gives the one noise model on a device, which all operators there share."""
    return cache(lambda device: model().to(device))
