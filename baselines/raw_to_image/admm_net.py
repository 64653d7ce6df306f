"""x_n = argmin_x ½‖Ax − y‖²/‖A‖² + Σ_l ρ_l/2 ‖H_l x − z_l + β_l‖²,   c_l = D_l x_n,   z_l = S_l(c_l + β_l),
β_l ← β_l + η_l (c_l − z_l),   x_hat = x_N

Deep ADMM-Net of 2016: the alternating direction method of multipliers for ½‖Ax − y‖² + Σ_l λ_l g(D_l x), with stages
that share nothing. Each learns filters H_l for the image step and D_l for the transform, in the span of all cosines of
3x3 pixels but the constant, piecewise linear functions S_l (`baselines.networks.piecewise_linear`) in place of proximal
maps, and ρ_l and η_l. Convolutions are circular. Before training, H_l = D_l is the l-th cosine, S_l soft-thresholding
by 1/20, ρ_l = 0.2 and η_l = 1.6: plain ADMM.

A net of N stages has, as its authors count, a first and a last stage around them, and a last image step: 8,640, 15,304
and 16,256 parameters for N = 7, 14 and 15. Three things differ from the paper: the image step is solved for any
operator (`baselines.solvers.normal_equations`); images are normalised, so that one recipe serves all units; and Adam
takes the place of L-BFGS. ``normalise=False`` is the paper's network, which published weights have. Complex images have
filters in common for both parts, and volumes cosines of 3x3x3 voxels.

Y. Yang, J. Sun, H. Li, Z. Xu, Deep ADMM-Net for compressive sensing MRI, NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.functionals.l1 import soft_threshold
from baselines.networks.cosine_filters import combine, convolve, convolve_adjoint, cosines, pad_to
from baselines.networks.normalisation import rms
from baselines.networks.piecewise_linear import piecewise_linear, values_of
from baselines.solvers.normal_equations import NormalEquations
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct

PENALTY, RATE, THRESHOLD = 0.2, 1.6, 1 / 20  # ρ, η and the threshold before training, as its authors set them
PEAK = 4.0  # normalised images are divided by it, to lie in [−1, 1] for the most part; set by hand


class AdmmNet(LearnedMethod):
    """``stages``: N. The loss is the relative error ‖x_hat − x‖/‖x‖, its mean over the batch."""

    def __init__(self, dims: int = 2, stages: int = 7, normalise: bool = True) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Stage(dims) for _ in range(stages + 2))
        self.last = ImageStep(dims)
        self.normalise = normalise

    @classmethod
    def published(cls, name: str, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """From yangyan92/Deep-ADMM-Net: layers x, c, z, β in turn, filters as columns of coefficients."""
        layers = [f"net.layers.{i}.weights." for i in range(len({key.split(".")[2] for key in tensors}))]
        stages = (len(layers) - 1) // 4
        state: dict[str, Tensor] = {}
        for n in range(stages + 1):
            step = "last" if n == stages else f"stages.{n}.image"
            state |= {f"{step}.filters": tensors[layers[4 * n] + "0"].T, f"{step}.rho": tensors[layers[4 * n] + "1"]}
        for n in range(stages):
            for part, layer in (("filters", 1), ("q", 2), ("eta", 3)):
                state[f"stages.{n}.{part}"] = tensors[layers[4 * n + layer] + "0"].T
        state = {key: value.flatten() if key.endswith(("rho", "eta")) else value for key, value in state.items()}
        return {"stages": stages - 2, "normalise": False}, state

    def loss(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return ((x_hat - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1).clamp(min=1e-12)).mean()

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        x = direct(y, physics)
        unit = PEAK * rms(x) if self.normalise else rms(torch.ones_like(x))
        x = x / unit
        system = NormalEquations(y, physics, unit)
        z = beta = None
        for stage in self.stages:
            x, z, beta = stage(x, z, beta, system)
        return unit * self.last(x, z, beta, system)


class ImageStep(nn.Module):
    """x_n, from the last x, z and β; z and β are (B C, L, ...)."""

    basis: Tensor

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.register_buffer("basis", cosines(dims)[1:], persistent=False)
        self.filters = nn.Parameter(torch.eye(len(self.basis)))  # coefficients of H, a row for each filter
        self.rho = nn.Parameter(torch.full((len(self.basis),), PENALTY))

    def forward(self, x: Tensor, z: Tensor | None, beta: Tensor | None, system: NormalEquations) -> Tensor:
        H = combine(self.filters, self.basis)
        size = x.shape[2:]
        H_hat = torch.fft.fftn(pad_to(H[:, 0], size), dim=tuple(range(1, H.ndim - 1)))
        weight = self.rho.reshape(-1, *[1] * len(size))
        b = system.A_adjoint_y
        if z is not None and beta is not None:
            b = b + convolve_adjoint(weight * (z - beta), H).reshape(x.shape)
        return system.solve(b, (weight * H_hat.abs().square()).sum(0), x)


class Stage(nn.Module):
    """x_n, z and β from the last ones."""

    basis: Tensor

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.image = ImageStep(dims)
        self.register_buffer("basis", cosines(dims)[1:], persistent=False)
        self.filters = nn.Parameter(torch.eye(len(self.basis)))  # coefficients of D
        self.q = nn.Parameter(values_of(lambda p: soft_threshold(p, THRESHOLD), len(self.basis)))
        self.eta = nn.Parameter(torch.full((len(self.basis),), RATE))

    def forward(
        self, x: Tensor, z: Tensor | None, beta: Tensor | None, system: NormalEquations
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = self.image(x, z, beta, system)
        D = combine(self.filters, self.basis)
        c = convolve(x.flatten(0, 1).unsqueeze(1), D)
        before = torch.zeros_like(c) if beta is None else beta
        z = piecewise_linear(c + before, self.q)
        return x, z, before + self.eta.reshape(-1, *[1] * (D.ndim - 2)) * (c - z)
