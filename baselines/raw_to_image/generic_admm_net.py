"""x_n = argmin_x ½‖Ax − y‖²/‖A‖² + ρ/2 ‖x − z + β‖²,   z = x_n + β − W' * S(W * (x_n + β) + b) − b',
β ← β + η (x_n − z),   x_hat = x_N

ADMM-CSNet of 2019: the alternating direction method of multipliers with the splitting z = x, in the space of the image,
where Deep ADMM-Net (`baselines.raw_to_image.admm_net`) splits in the space of its filters. The proximal map of the
prior is one step of gradient descent: filters W, a piecewise linear function S of its own for each
(`baselines.networks.piecewise_linear`), and filters W' back to the image. Stages share nothing. W and W' have 5x5
pixels and zero padding, and S starts as a ReLU.

Three things differ from the paper: the image step is solved for any operator (`baselines.solvers.normal_equations`);
images are normalised, so that one recipe serves all units; and Adam takes the place of L-BFGS. W' starts at zero, so
that the untrained net is the quadratic ADMM. The paper's net has 10 stages of 128 filters, 194,591 parameters; the
default is smaller, to train in minutes. ``normalise=False`` is the paper's network, which published weights have.
Both parts of a complex image go through the same filters.

Y. Yang, J. Sun, H. Li, Z. Xu, ADMM-CSNet: a deep learning approach for image compressive sensing, IEEE TPAMI 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.normalisation import rms
from baselines.networks.piecewise_linear import piecewise_linear, values_of
from baselines.solvers.normal_equations import NormalEquations
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.contract.task import Track

SIDE = 5  # of a filter
PENALTY, RATE = 0.1, 1.0  # ρ and η before training, as its authors set them
PEAK = 4.0  # normalised images are divided by it, to lie in [−1, 1] for the most part; set by hand


class GenericAdmmNet(LearnedMethod):
    """``stages``: N − 1, as its authors count; ``width``: filters. The loss is the relative error ‖x_hat − x‖/‖x‖."""

    learning_rate: ClassVar[float] = 2e-3

    def __init__(self, stages: int = 5, width: int = 32, normalise: bool = True) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Stage(width) for _ in range(stages))
        self.last = nn.Parameter(torch.tensor(PENALTY))  # ρ of x_N
        self.normalise = normalise

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its filters are made for images, not for volumes"

    @classmethod
    def published(cls, name: str, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """From yangyan92/ADMM-CSNet, real MRI: layers x, W, S, W', z, β in turn, kernels (height, width, in, out).

        A layer without weights (z, the sum x + β) is absent.
        """
        numbers = sorted({int(key.split(".")[2]) for key in tensors})
        layers = [f"net.layers.{i}.weights." for i in numbers]
        stages = (len(layers) - 1) // 5
        state = {"last": tensors[layers[-1] + "0"].reshape(())}
        for n in range(stages):
            rho, analysis, q, synthesis, eta = layers[5 * n : 5 * n + 5]
            state |= {
                f"stages.{n}.rho": tensors[rho + "0"].reshape(()),
                f"stages.{n}.analysis.weight": tensors[analysis + "0"].permute(3, 2, 0, 1),
                f"stages.{n}.analysis.bias": tensors[analysis + "1"].flatten(),
                f"stages.{n}.q": tensors[q + "0"].T,
                f"stages.{n}.synthesis.weight": tensors[synthesis + "0"].permute(2, 0, 1)[None],
                f"stages.{n}.synthesis.bias": tensors[synthesis + "1"].flatten(),
                f"stages.{n}.eta": tensors[eta + "0"].reshape(()),
            }
        width = len(state["stages.0.q"])
        return {"stages": stages, "width": width, "normalise": False}, state

    def loss(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return ((x_hat - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1).clamp(min=1e-12)).mean()

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        x = direct(y, physics)
        unit = PEAK * rms(x) if self.normalise else 1.0
        system = NormalEquations(y, physics, unit)
        x = x / unit
        z = beta = torch.zeros_like(x)
        for stage in self.stages:
            assert isinstance(stage, Stage)
            x = image_step(system, stage.rho, z - beta, x)
            z = stage.prior(x + beta)
            beta = beta + stage.eta * (x - z)
        return unit * image_step(system, self.last, z - beta, x)


def image_step(system: NormalEquations, rho: Tensor, v: Tensor, start: Tensor) -> Tensor:
    """argmin_x ½‖Ax − y‖²/‖A‖² + ρ/2 ‖x − v‖²."""
    return system.solve(system.A_adjoint_y + rho * v, rho, start)


class Stage(nn.Module):
    """The parameters of one stage, and its proximal map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.tensor(PENALTY))
        self.eta = nn.Parameter(torch.tensor(RATE))
        self.analysis = nn.Conv2d(1, width, SIDE, padding=SIDE // 2)
        self.q = nn.Parameter(values_of(torch.relu, width))
        self.synthesis = nn.Conv2d(width, 1, SIDE, padding=SIDE // 2)
        nn.init.kaiming_normal_(self.analysis.weight, mode="fan_out")
        for name, parameter in self.named_parameters():
            if name == "analysis.bias" or name.startswith("synthesis"):
                nn.init.zeros_(parameter)

    def prior(self, v: Tensor) -> Tensor:
        """z for v = x + β (B, C, H, W); each channel goes through the filters by itself."""
        flat = v.flatten(0, 1).unsqueeze(1)
        return (flat - self.synthesis(piecewise_linear(self.analysis(flat), self.q))).reshape(v.shape)
