"""The image of a device against the CPU's, for the same weights, hyperparameters and measurements."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.contract.method import Method
from bench.contract.toy_operators import Toy
from bench.contract.toy_trial import Breach, Tried, run

# Between devices, as the root of the mean square over an image's largest value. Sums in another order change the last
# digit; iterations carry it, and a threshold or a choice of atoms may turn it into another choice. So an image may also
# differ by ten times as much as a change of y in its last digit moves it.
DEVICE_TOLERANCE = 1e-3
SENSITIVE = 10.0
LAST_DIGIT = 1.2e-7  # of single precision, relative


def agrees_with_the_processor(tried: Tried) -> str | None:
    """The image of the same weights and hyperparameters on the CPU, within `DEVICE_TOLERANCE`."""
    if tried.draws:
        return "not compared: a GPU draws other random numbers"
    on_cpu = Tried(tried.method, tried.toy.on(torch.device("cpu")))
    found = distance(tried.image.cpu(), on_cpu.image)
    if found <= DEVICE_TOLERANCE:
        return f"differs by {found:.1e}"
    moved = sensitivity(on_cpu.instance, on_cpu.toy, on_cpu.image)
    if not found <= SENSITIVE * moved:  # nor NaN
        raise Breach(
            f"the image differs from the CPU's by {found:.1e}, more than {DEVICE_TOLERANCE} and more than "
            f"{SENSITIVE:g} times the {moved:.1e} by which the last digit of y moves it"
        )
    return f"differs by {found:.1e}, where the last digit of y moves it by {moved:.1e}"


def sensitivity(method: Method, toy: Toy, image: Tensor) -> float:
    """The distance by which the image moves when the last digit of y changes: the most of three random changes."""
    moved = []
    for seed in range(3):
        change = LAST_DIGIT * torch.randn(toy.y.shape, generator=torch.Generator().manual_seed(seed))
        moved.append(run(method, toy.y * (1 + change), toy.physics(toy.params)))
    return max(distance(one, image) for one in moved)


def distance(image: Tensor, reference: Tensor) -> float:
    """Root of the mean squared difference, over the largest value of the reference."""
    return float((image - reference).square().mean().sqrt() / reference.abs().max())
