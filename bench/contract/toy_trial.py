"""A method that is tried on a toy operator, as evaluation and training would use it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import torch
from deepinv.physics import LinearPhysics
from pytorch_lightning import Trainer
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch import Tensor
from torch.utils.data import DataLoader

from bench.contract.construct import build
from bench.contract.determinism import exact, seeded
from bench.contract.method import Estimate, Method
from bench.contract.toy_operators import Toy


class Breach(Exception):
    """A method, or a task, does something that the contract forbids."""


class Tried:
    """A method on a toy operator, and its first answer, which all checks use.

    The answer is the image, or the finding, or both along the channels.
    """

    def __init__(self, method: type[Method], toy: Toy) -> None:
        self.method = method
        self.toy = toy = replace(toy, y=toy.x) if method.sees_truth else toy
        self.y, self.physics = toy.y.clone(), toy.physics(toy.params)
        self.buffers = {name: buffer.clone() for name, buffer in self.physics.named_buffers()}

    @property
    def device(self) -> torch.device:
        return self.y.device

    @cached_property
    def instance(self) -> Method:
        return make(self.method, self.toy)

    @cached_property
    def estimate(self) -> Estimate:
        return answer(self.instance, self.y, self.physics)

    @cached_property
    def image(self) -> Tensor:
        return joined(self.estimate)

    @cached_property
    def alone(self) -> Tensor:
        """The images of the batch again, each reconstructed by itself."""
        return torch.cat([run(self.instance, *self.toy.one(index)) for index in range(len(self.toy.y))])

    @cached_property
    def draws(self) -> bool:
        """Whether the method draws random numbers: another seed gives another image."""
        other = run(self.instance, self.toy.y, self.toy.physics(self.toy.params), seed=1)
        return not torch.equal(other, self.image)


def make(method: type[Method], toy: Toy) -> Method:
    """An instance with default hyperparameters on the device of the toy; the same weights every time and everywhere."""
    with seeded(0):
        return build(method, toy.track, {}).eval().to(toy.y.device)


def run(method: Method, y: Tensor, physics: LinearPhysics, seed: int = 0) -> Tensor:
    """The image, the finding, or both along the channels."""
    return joined(answer(method, y, physics, seed))


def answer(method: Method, y: Tensor, physics: LinearPhysics, seed: int = 0) -> Estimate:
    """The estimate as evaluation makes it: without gradients, after the generators are seeded, in full precision."""
    with torch.no_grad(), seeded(seed), exact():
        estimate = method(y, physics)
    estimate = estimate if isinstance(estimate, Estimate) else Estimate(image=estimate)
    for part in method.returns:
        found = getattr(estimate, part)
        if not isinstance(found, Tensor):
            raise Breach(f"returned {type(found).__name__}, expected a tensor" + f" as {part}" * (part != "image"))
    return estimate


def joined(estimate: Estimate) -> Tensor:
    return torch.cat([part for part in (estimate.image, estimate.finding, estimate.std) if part is not None], 1)


def step(method: Method, toy: Toy, index: int = 0) -> list[Tensor]:
    """Training step ``index`` as Lightning would run it; the parameters that optimisers of the method's own hold."""
    if not method.automatic_optimization and any(parameter.requires_grad for parameter in method.parameters()):
        return step_by_itself(method, toy)
    method.train()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*self.log.*")
        loss = method.training_step(toy.batch, index)
    loss = loss["loss"] if isinstance(loss, Mapping) else loss
    if not isinstance(loss, Tensor):
        raise Breach(f"training_step returned {type(loss).__name__}, expected a loss")
    if method.automatic_optimization:
        loss.backward()
    method.eval()
    return []


def step_by_itself(method: Method, toy: Toy) -> list[Tensor]:
    """One step of a method that moves its optimisers itself (several of them, say), for which it needs a trainer."""
    trainer = Trainer(
        accelerator=toy.x.device.type,
        devices=1,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[LightningEnvironment()],
    )
    method.train()
    batch = DataLoader([toy.batch], collate_fn=lambda items: items[0])  # type: ignore
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        trainer.fit(method, batch)
    method.eval().to(toy.x.device)  # the trainer leaves it on the CPU
    return [one for optimiser in trainer.optimizers for group in optimiser.param_groups for one in group["params"]]
