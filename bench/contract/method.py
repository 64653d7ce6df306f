"""The contract of a method: a Lightning module that maps a measurement and its physics to a reconstruction."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from deepinv.physics import LinearPhysics
from pytorch_lightning import LightningModule
from torch import Tensor

from bench.contract.space import Range
from bench.contract.task import OF, Track
from bench.errors import BenchError

logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # which devices it sees is no news


@dataclass(frozen=True)
class Estimate:
    """An answer of more than a bare image, or of none.

    A finding (B, classes, ...) is the probability of each class in each pixel of the image. A standard deviation has
    the shape and the unit of the image: of a complex one it is of the real and of the imaginary part.
    """

    image: Tensor | None = None
    finding: Tensor | None = None
    std: Tensor | None = None


class Method(LightningModule):
    """Reconstructs ``x_hat = forward(y, physics)`` without ever seeing the ground truth.

    Constructor arguments are the method's hyperparameters, each with a default. Where the constructor asks for
    ``channels``, ``classes``, ``dims`` (spatial dimensions) or ``measured_channels``, the referee fills them in from
    the track. Where one of its arguments, named by ``inner``, is another method, that one is asked for by its name, and
    the constructor is given an instance of it, tuned or trained.
    A method may draw random numbers from the global generators of torch, NumPy and Python, which the referee seeds
    before each image.
    """

    search_space: ClassVar[Mapping[str, Range]] = {}  # the hyperparameters that are tuned
    learned: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ()  # that it reads (weights, say), by their names below the folder of its file
    returns: ClassVar[tuple[str, ...]] = ("image",)  # the parts of its estimate: image, finding, std
    inner: ClassVar[str] = ""  # the argument of the constructor that is another method; its default is a name
    sees_truth: ClassVar[bool] = False  # a control that bounds all others: `forward` is given x in the place of y

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if isinstance(cls.returns, str) or not set(cls.returns) <= set(OF):
            raise BenchError(f"{cls.__name__}.returns is {cls.returns!r}. Declare a tuple of {', '.join(OF)}.")

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        """The hyperparameters tuned on this track; by default `search_space`."""
        return cls.search_space

    @classmethod
    def defaults(cls, track: Track) -> Mapping[str, Any]:
        """The values from which tuning starts, by name: those of the constructor for the names in `space`.

        A name without a default is absent: the search then starts at a random value of it.
        """
        parameters = inspect.signature(cls).parameters
        return {
            name: parameters[name].default
            for name in cls.space(track)
            if name in parameters and parameters[name].default is not inspect.Parameter.empty
        }

    @classmethod
    def supports(cls, track: Track) -> str | None:
        """None if the method applies to the track, else the reason why it does not."""
        return None

    @classmethod
    def prepares_inner(cls, hyperparameters: Mapping[str, Any]) -> bool:
        """Whether the inner method is tuned or trained before this one, by the images of the track; else it is new."""
        return True

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor | Estimate:
        """Reconstruction of the shape of ``physics.A_adjoint(y)``, finite, on the device and in the dtype of ``y``."""
        raise BenchError(f"{type(self).__name__} has no forward(y, physics). Write one.")


@runtime_checkable
class Convergent(Protocol):
    """A method that minimises an objective may offer its curve, which is kept for the first test image."""

    def convergence(self, y: Tensor, physics: LinearPhysics) -> list[float]:
        """The objective after each iteration, its mean over the batch."""


@runtime_checkable
class HasAtoms(Protocol):
    """A method that learns a dictionary, a frame or filters may offer them; the run keeps them as pictures."""

    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """Each set of learned atoms (N, h, w) by its name; learned from ``y`` where the method does so."""


class LearnedMethod(Method):
    """A method that is trained: mean squared error, Adam, a learning rate that warms up and falls as a cosine.

    Override the hooks in which your paper differs. A training batch is ``(x, y, physics)``, on a track that asks for a
    finding ``(x, y, physics, target)``, with the truth of the finding. The constants of the recipe are class
    attributes and part of the run's key.

    A part that is called ``network`` and takes a single tensor is taken for a function of it and of its own parameters
    and buffers: no counter and no switch of Python changes what it computes, though it may draw torch's random numbers.
    Its passes in a long training on a GPU are recorded and repeated (`bench.recorded_networks`).
    """

    learned: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 1e-3  # Adam's highest step size
    gradient_clip: ClassVar[float | None] = 1.0  # bound on the norm of the gradient
    warm_up: ClassVar[float] = 0.1  # share of the steps in which the learning rate grows from zero

    @classmethod
    def published(cls, name: str, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Weights that authors published: the hyperparameters of their network, and its ``state_dict``.

        ``tensors`` are the ones of the authors' file ``name``, as `bench.data.weights.tensors` reads them. A method
        that has such weights overrides this; see ``baselines/weights`` for the manifests.
        """
        raise BenchError(f"{cls.__name__} has no hook `published` that would read the weights {name}.")

    def loss(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """The training loss, (), of reconstructions ``x_hat`` of the images ``x``, both (B, C, ...).

        A method of findings is given its `Estimate` in the place of ``x_hat``, and the target as a third argument.
        """
        return torch.nn.functional.mse_loss(x_hat, x)

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        x, y, physics, *target = batch
        if target and type(self).loss is LearnedMethod.loss:
            raise BenchError(f"{type(self).__name__} learns a finding and has no loss(estimate, x, target). Write one.")
        return self.loss(self(x if self.sees_truth else y, physics), x, *target)

    def parameter_groups(self) -> Any:
        """What Adam learns: all parameters, or groups of them, of which one may have a rate ``lr`` of its own."""
        return self.parameters()

    def configure_optimizers(self) -> Any:
        # One kernel in place of many; Lightning clips no gradients of a fused optimiser in mixed precision.
        fused = self.device.type == "cuda" and self.trainer.precision == "32-true"
        optimizer = torch.optim.Adam(self.parameter_groups(), lr=self.learning_rate, fused=fused or None)
        steps = max(1, int(self.trainer.estimated_stepping_batches))

        def factor(step: int) -> float:
            growth = min(1.0, (step + 1) / max(1.0, self.warm_up * steps))
            return growth * 0.5 * (1 + math.cos(math.pi * step / steps))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
