"""r_k = x_{k−1} − λ_k Aᵀ(A x_{k−1} − y)/‖A‖²,   x_k = r_k + G_k H̃_k soft(H_k D_k r_k, θ_k),   x_hat = x_K

ISTA-Net⁺: iterative shrinkage-thresholding whose sparsifying transform is learned. In each of K = 9 phases the
convolution D_k gives 32 features, H_k = B ∘ ReLU ∘ B' and H̃_k of the same form are two convolutions each, and G_k goes
back to the image. λ_k and θ_k are learned, and no convolution has a bias: 37,442 parameters a phase. The loss asks H̃_k
to be a left inverse of H_k,

    mean (x_hat − x)² + 0.01 Σ_k mean (H̃_k H_k D_k r_k − D_k r_k)².

x_0 is the direct reconstruction, which is zero-filled in MRI. Two things differ from the paper: images are normalised
(`baselines.networks.normalisation`), since thresholds of a fixed size fit images of one unit only, and the recipe is
the referee's, with Adam at a larger step for short trainings. Complex images are two channels of D_k and G_k.
``normalise=False`` is the paper's network, which published weights have.

J. Zhang, B. Ghanem, ISTA-Net: Interpretable optimization-inspired deep network for image compressive sensing, CVPR
2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn
from torch.nn.functional import conv2d, relu

from baselines.networks.normalisation import Normalisation
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct, operator_norm
from bench.contract.task import Track

FEATURES = 32
SYMMETRY = 0.01  # weight of the left inverses in the loss
STEP, THRESHOLD = 0.5, 0.01  # λ and θ before training


class IstaNet(LearnedMethod):
    """For any linear operator on images of two dimensions. ``phases``: K."""

    def __init__(self, channels: int = 1, phases: int = 9, normalise: bool = True) -> None:
        super().__init__()
        self.phases = nn.ModuleList(Phase(channels) for _ in range(phases))
        self.normalise = normalise

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its phases of 32 features are made for images, not for volumes"

    @classmethod
    def published(cls, name: str, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """From jianzhangcs/ISTA-Net-PyTorch: ``module.fcs.K.NAME``, with the same names."""
        state = {key.replace("module.fcs.", "phases."): value for key, value in tensors.items()}
        return {"phases": len({key.split(".")[1] for key in state}), "normalise": False}, state

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return self.run(y, physics)[0]

    def training_step(self, batch: tuple[Tensor, Tensor, LinearPhysics], index: int) -> Tensor:
        x, y, physics = batch
        x_hat, asymmetry = self.run(y, physics, watch=True)
        unit = Normalisation(x_hat.detach()).scale if self.normalise else 1.0  # both terms in one unit
        loss = self.loss(x_hat / unit, x / unit) + SYMMETRY * asymmetry
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss

    def run(self, y: Tensor, physics: LinearPhysics, watch: bool = False) -> tuple[Tensor, Tensor]:
        """x_hat, and with ``watch`` the sum of the squared failures of H̃_k to invert H_k."""
        norm2 = operator_norm(physics, y) ** 2
        x, asymmetry = direct(y, physics), y.new_zeros(())
        normalisation = Normalisation(x) if self.normalise else None
        for phase in self.phases:
            r = x - phase.lambda_step * physics.A_adjoint(physics.A(x) - y) / norm2
            if normalisation is None:
                change, failure = phase(r, watch)
                x = r + change
            else:
                change, failure = phase(normalisation.normalise(r), watch)
                x = r + normalisation.undo(change)
            asymmetry = asymmetry + failure
        return x, asymmetry


class Phase(nn.Module):
    """G_k H̃_k soft(H_k D_k r, θ_k); its parameters have the names of the published files."""

    def __init__(self, channels: int) -> None:
        super().__init__()

        def kernel(outputs: int, inputs: int) -> nn.Parameter:
            return nn.Parameter(nn.init.xavier_normal_(torch.empty(outputs, inputs, 3, 3)))

        self.lambda_step = nn.Parameter(torch.tensor([STEP]))
        self.soft_thr = nn.Parameter(torch.tensor([THRESHOLD]))
        self.conv_D = kernel(FEATURES, channels)
        self.conv1_forward, self.conv2_forward = kernel(FEATURES, FEATURES), kernel(FEATURES, FEATURES)
        self.conv1_backward, self.conv2_backward = kernel(FEATURES, FEATURES), kernel(FEATURES, FEATURES)
        self.conv_G = kernel(channels, FEATURES)

    def forward(self, r: Tensor, watch: bool) -> tuple[Tensor, Tensor]:
        features = conv2d(r, self.conv_D, padding=1)
        code = two(features, self.conv1_forward, self.conv2_forward)
        thresholded = code.sign() * relu(code.abs() - self.soft_thr)
        change = conv2d(two(thresholded, self.conv1_backward, self.conv2_backward), self.conv_G, padding=1)
        if not watch:
            return change, r.new_zeros(())
        return change, (two(code, self.conv1_backward, self.conv2_backward) - features).square().mean()


def two(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Two convolutions with a ReLU between them."""
    return conv2d(relu(conv2d(x, first, padding=1)), second, padding=1)
