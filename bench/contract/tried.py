"""A method that is tried on a toy operator, as evaluation and training would use it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from bench.contract.construct import build
from bench.contract.method import Estimate, Method
from bench.contract.precision import exact
from bench.contract.toy_operators import Toy


class Breach(Exception):
    """A method does something that the contract forbids."""


class Tried:
    """A method on a toy operator, and its first reconstruction, which all checks use."""

    def __init__(self, method: type[Method], toy: Toy) -> None:
        self.method = method
        self.toy = toy
        self.y, self.physics = toy.y.clone(), toy.physics(toy.params)
        self.buffers = {name: buffer.clone() for name, buffer in self.physics.named_buffers()}

    @property
    def device(self) -> torch.device:
        return self.y.device

    @cached_property
    def instance(self) -> Method:
        return make(self.method, self.toy)

    @cached_property
    def image(self) -> Tensor:
        return run(self.instance, self.y, self.physics)

    @cached_property
    def draws(self) -> bool:
        """Whether the method draws random numbers: another seed gives another image."""
        other = run(self.instance, self.toy.y, self.toy.physics(self.toy.params), seed=1)
        return not torch.equal(other, self.image)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of torch, NumPy and Python; afterwards they go on as if nothing had happened."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def make(method: type[Method], toy: Toy) -> Method:
    """An instance with default hyperparameters on the device of the toy; the same weights every time and everywhere."""
    with seeded(0):
        return build(method, toy.track, {}).eval().to(toy.y.device)


def run(method: Method, y: Tensor, physics: LinearPhysics, seed: int = 0) -> Tensor:
    """The image, made as evaluation makes it: without gradients, after the generators are seeded, in full precision."""
    with torch.no_grad(), seeded(seed), exact():
        estimate = method(y, physics)
    image = estimate.image if isinstance(estimate, Estimate) else estimate
    if not isinstance(image, Tensor):
        raise Breach(f"returned {type(image).__name__}, expected a tensor")
    return image


def step(method: Method, toy: Toy) -> None:
    """The method's own training step, outside of a trainer, and its backward pass where Lightning would run it."""
    method.train()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*self.log.*")
        loss = method.training_step((toy.x, toy.y, toy.physics(toy.params)), 0)
    loss = loss["loss"] if isinstance(loss, Mapping) else loss
    if not isinstance(loss, Tensor):
        raise Breach(f"training_step returned {type(loss).__name__}, expected a loss")
    if method.automatic_optimization:
        loss.backward()
    method.eval()
