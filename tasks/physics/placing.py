"""How an operator and its noise model are put on their device without waiting for it.

deepinv's operators and noise models copy a number to their device when they are built there, and the process waits
until it has arrived: in a training, for all work of the step before, with each batch.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache

import torch
from deepinv.physics import LinearPhysics, ZeroNoise
from deepinv.physics.noise import NoiseModel
from torch import Tensor


def put_on(operator: LinearPhysics, noise_model: NoiseModel | None, device: torch.device | str) -> None:
    """Give an operator that was built on the processor its noise model, and put it on ``device``.

    What it was given after it was built, and the noise model, may be there already, and then stay there.
    """
    operator.noise_model = noise_model or ZeroNoise()
    operator._device_holder = zero(torch.device(device))
    operator.to(device)


@cache
def zero(device: torch.device) -> Tensor:
    return torch.tensor(0.0, device=device)


def on_each_device(model: Callable[[], NoiseModel]) -> Callable[[torch.device], NoiseModel]:
    """What gives a new noise model on a device, copied from the first one there."""
    first = cache(lambda device: model().to(device))
    return lambda device: deepcopy(first(device))
