"""x_hat = Dv,   v = argmin f(v) + g(Kv):   a variational model, and the algorithms that solve it

A method states its model. Its hyperparameters choose the algorithm, the number of iterations, and the data term: the
likelihood of the declared noise or least squares.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.choice import DATA, one_of
from baselines.functionals.data_fit import DataFit
from baselines.functionals.regulariser import Regulariser
from baselines.solvers.admm import admm
from baselines.solvers.primal_dual import pdhg
from baselines.solvers.proximal_gradient import fista, ista
from baselines.solvers.repeat import unwatched
from bench.contract.method import Method
from bench.contract.space import Float, Range
from bench.contract.task import Track

ALGORITHMS = {"pdhg": pdhg, "admm": admm, "ista": ista, "fista": fista}

# Ranges of weights λ on images of contrast one. In denoising λ is of the size of the noise, and far below it lies a
# plateau on which a search loses its trials. Elsewhere little noise wants a little λ.
WEIGHT = Float(1e-6, 1.0, log=True)
WEIGHT_OF_DENOISING = Float(1e-3, 2.0, log=True)


@dataclass(frozen=True)
class Model:
    """min_v f(v) + g(Kv), the ``start`` of the iterations, and ``image``, the map D from v to the image."""

    f: DataFit
    g: Regulariser
    start: Tensor
    image: Callable[[Tensor], Tensor] = lambda v: v

    def objective(self, v: Tensor) -> Tensor:
        """f(v) + g(Kv) of each image of the batch, (B,)."""
        return self.f.value(v) + self.g.value(self.g.K(v))


class Variational(Method):
    """A method that minimises a `Model`. ``algorithm`` is one of the class's ``algorithms``. ``data``: "matched" to the
    noise that the physics declares, or "gaussian" for any noise. ``weights`` names the hyperparameters that are λ."""

    weights: ClassVar[Sequence[str]] = ("lam",)
    algorithms: ClassVar[Sequence[str]] = ("pdhg", "admm")

    def __init__(self, algorithm: str, iterations: int, data: str) -> None:
        super().__init__()
        self.algorithm = one_of("algorithm", algorithm, self.algorithms)
        self.iterations = iterations
        self.data = one_of("data", data, DATA)

    @classmethod
    def space(cls, track: Track) -> Mapping[str, Range]:
        return dict.fromkeys(cls.weights, WEIGHT_OF_DENOISING if track.denoising else WEIGHT)

    @abstractmethod
    def model(self, y: Tensor, physics: LinearPhysics) -> Model:
        """The model of ``y``."""

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return self.solve(self.model(y, physics), unwatched)

    @torch.no_grad()
    def convergence(self, y: Tensor, physics: LinearPhysics) -> list[float]:
        """The objective after each iteration, its mean over the batch."""
        model, objective = self.model(y, physics), []
        self.solve(model, lambda v: objective.append(model.objective(v).mean()))
        return [float(value) for value in objective]

    def solve(self, model: Model, watch: Callable[[Tensor], None]) -> Tensor:
        """The image of the minimiser; ``watch`` is called with every iterate v."""
        return model.image(ALGORITHMS[self.algorithm](model.start, model.f, model.g, self.iterations, watch))
