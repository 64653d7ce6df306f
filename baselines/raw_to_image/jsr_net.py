"""min_{u,f} ½‖(1−m)(Pu − f)‖² + ½‖m(Pu − y)‖² + ½κ‖m(f − y)‖² + ‖λ_1 W_1 f‖_1 + ‖λ_2 W_2 u‖_1,   x_hat = u

The image u and the complete scan f are reconstructed together. P measures a complete scan, of which y is the part where
the mask m is one (`bench.contract.operators.completion`): f fills in the views that are missing, or the samples of
k-space. ADMM splits d_1 = W_1 f and d_2 = W_2 u. JSR-Net is its iteration, in which networks have the place of the
transforms W_i, of the shrinkages T_i and of the linear solvers, each iteration with networks of its own:

    d_1 ← T_1(W_1 f + b_1),   b_1 ← b_1 + W_1 f − d_1,   d_2, b_2 likewise,
    f ← f + α (f' − f) + θ ((1−m) Pu + m y − f) + N_f((1−m) Pu, m y, W_1ᵀ(d_1 − b_1)),
    u ← u + β (u' − u) + τ Pᵀ((1−m) f + m y − Pu) + N_u(Pᵀ(1−m) f, Pᵀ m y, W_2ᵀ(d_2 − b_2)),

f' and u' from the iteration before. As in the authors' code, W_i, W_iᵀ are convolutions to and from nine features, T_i
two of them around a PReLU, and N_f, N_u five densely connected layers of twelve features. The loss is the squared error
of u and of f, which the images' complete scans give.

Four things differ from the paper. The steps by θ and τ, the gradients of the model in f and u, stand beside N_f and
N_u, whose last layers start at zero, for the sake of short training. The default has four iterations, the paper seven.
The loss has no term of the structure. And all is in units of ‖P‖ and of the direct reconstruction, at which u starts;
images have no smooth phase. Where an operator offers no complete scan, f is the measurement without its noise.

B. Dong, J. Li, Z. Shen, X-ray CT image reconstruction via wavelet frame based regularization and Radon domain
inpainting, J. Sci. Comput. 54, 2013.
H. Zhang, B. Dong, B. Liu, JSR-Net: a deep network for joint spatial-Radon domain CT reconstruction from incomplete
data, ICASSP 2019.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.normalisation import Normalisation
from bench.contract.method import LearnedMethod
from bench.contract.operators import completion, direct, operator_norm
from bench.contract.task import Track

FEATURES = 9  # of W_i
DENSE, GROWTH = 5, 12  # layers of N_f and N_u, and their features


class JSRNet(LearnedMethod):
    """For measurements (B, C, ..., rows, columns) that are part of a scan. Coils pass the networks like a batch."""

    learning_rate: ClassVar[float] = 2e-3

    def __init__(self, channels: int = 1, measured_channels: int = 1, iterations: int = 4) -> None:
        super().__init__()
        self.splits_f, self.splits_u = (
            nn.ModuleList(Split(size) for _ in range(iterations)) for size in (measured_channels, channels)
        )
        self.networks_f, self.networks_u = (
            nn.ModuleList(Dense(3 * size, size) for _ in range(iterations)) for size in (measured_channels, channels)
        )
        self.alpha, self.beta = (nn.Parameter(torch.zeros(iterations)) for _ in range(2))
        self.theta, self.tau = (nn.Parameter(torch.ones(iterations)) for _ in range(2))

    @classmethod
    def supports(cls, track: Track) -> str | None:
        if track.modality in ("ct", "mri") and track.dims == 2:
            return None
        return f"made for slices of ct and mri, where y is part of a scan, not for {track.modality} in {track.dims}D"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return self.image_and_scan(y, physics)[0]

    def image_and_scan(self, y: Tensor, physics: LinearPhysics) -> tuple[Tensor, Tensor]:
        """u (B, C, H, W) and f, of the shape of the complete scan, in the units of the image and of the measurement."""
        d, whole = direct(y, physics), completion(physics)
        norm, normalisation = operator_norm(whole.physics, whole.embed(y)), Normalisation(d)
        unit = norm * normalisation.scale.reshape(-1, *[1] * (y.ndim - 1))
        scan = whole.embed(y).movedim(1, -3).shape  # with the channels next to rows and columns

        def P(u: Tensor) -> Tensor:
            return merge(whole.physics.A(normalisation.add_phase(u)) / norm)

        def P_adjoint(f: Tensor) -> Tensor:
            return normalisation.remove_phase(whole.physics.A_adjoint(f.reshape(scan).movedim(-3, 1)) / norm)

        missing, my = merge(1 - whole.embed(torch.ones_like(y))), merge(whole.embed(y / unit))
        u = u_before = normalisation.normalise(d)
        Pu, backprojected = P(u), P_adjoint(my)
        f = f_before = missing * Pu + my
        b_1, b_2 = torch.zeros(()).to(y), torch.zeros(()).to(y)
        for k in range(len(self.tau)):
            split_f, b_1 = self.splits_f[k](f, b_1)
            split_u, b_2 = self.splits_u[k](u, b_2)
            step = self.theta[k] * (missing * Pu + my - f)
            step = step + self.networks_f[k](torch.cat([missing * Pu, my, split_f], 1))
            f, f_before = f + self.alpha[k] * (f_before - f) + step, f
            filled = P_adjoint(missing * f)
            step = self.tau[k] * (filled + backprojected - P_adjoint(Pu))
            step = step + self.networks_u[k](torch.cat([filled, backprojected, split_u], 1))
            u, u_before = u + self.beta[k] * (u_before - u) + step, u
            Pu = P(u)
        return normalisation.undo(u), f.reshape(scan).movedim(-3, 1) * unit

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        """The squared error of the image, and of the scan in units of the image and of ‖P‖."""
        x, y, physics = batch
        u, f = self.image_and_scan(y, physics)
        whole = completion(physics)
        error = (f - whole.physics.A(x)) / operator_norm(whole.physics, f)
        loss = self.loss(u, x) + error.square().mean()
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss


class Split(nn.Module):
    """Wᵀ(d − b) and b of d = T(Wv + b), b ← b + Wv − d, for v (B, C, H, W); all has `FEATURES` channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.W, self.W_transpose = conv(channels, FEATURES), conv(FEATURES, channels)
        self.T = nn.Sequential(conv(FEATURES, FEATURES), nn.PReLU(FEATURES, 0.0), conv(FEATURES, FEATURES))

    def forward(self, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        Wv = self.W(v)
        d = self.T(Wv + b)
        b = b + Wv - d
        return self.W_transpose(d - b), b


class Dense(nn.Module):
    """Each layer sees the input and what all layers before it have found."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = [inputs + GROWTH * number for number in range(DENSE + 1)]
        self.layers = nn.ModuleList(
            nn.Sequential(conv(width, GROWTH), nn.PReLU(GROWTH, 0.0)) for width in widths[:DENSE]
        )
        self.last = conv(widths[DENSE], outputs)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, v: Tensor) -> Tensor:
        for layer in self.layers:
            v = torch.cat([layer(v), v], 1)
        return self.last(v)


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def merge(f: Tensor) -> Tensor:
    """Further axes of a scan, such as coils, into the batch: (B, C, ..., H, W) to (B ..., C, H, W)."""
    return f.movedim(1, -3).flatten(0, -4)
