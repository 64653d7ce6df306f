"""x_hat = mean of R_1(y), ..., R_n(y),   std² = Σ (R_i(y) − x_hat)² / (n − 1):   networks that tell how sure they are

The base of methods that take another network, which is new, train it in its own recipe, and return a standard
deviation beside the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from bench.contract.method import Estimate, LearnedMethod, Method
from bench.errors import BenchError

RECIPE = ("learning_rate", "gradient_clip", "warm_up")
# Hooks of a network that an outer method cannot follow.
OWN_WAYS = ("training_step", "configure_optimizers", "parameter_groups")


class Confident(LearnedMethod):
    """``network``: a learned method that returns images. It is trained as it would be by itself, but for its loss."""

    returns: ClassVar[tuple[str, ...]] = ("image", "std")
    inner: ClassVar[str] = "network"

    def __init__(self, network: Method | str) -> None:
        super().__init__()
        name = type(network).__name__
        if not isinstance(network, LearnedMethod) or not any(True for _ in network.parameters()):
            raise BenchError(f"{name} is no network that is trained. Name one, such as unet or learned_primal_dual.")
        if any(getattr(type(network), hook) is not getattr(LearnedMethod, hook) for hook in OWN_WAYS):
            raise BenchError(f"{name} trains in a way of its own, which no other method can follow.")
        for name in RECIPE:
            setattr(self, name, getattr(network, name))

    @classmethod
    def prepares_inner(cls, hyperparameters: Mapping[str, Any]) -> bool:
        return False


def mean_and_deviation(images: Sequence[Tensor]) -> Estimate:
    """The mean and the standard deviation of two images or more, each (B, C, ...)."""
    stack = torch.stack(list(images))
    return Estimate(image=stack.mean(0), std=stack.std(0))
