"""Total variation denoising as a plain loop over PyTorch's operations: the yardstick of its speed on a device.

min_x ½|x − y|² + λ Σ |∇x| by over-relaxed primal-dual iterations, the same as `baselines.solvers.primal_dual`, written
apart from it so that what is done there for speed shows.

A. Chambolle, T. Pock, A first-order primal-dual algorithm for convex problems, J. Math. Imaging Vis. 2011.
"""

from __future__ import annotations

import torch
from torch import Tensor

RATIO, RELAXATION = 0.05, 1.9  # τ/σ of denoising, and ρ, as in `baselines.solvers.primal_dual`


def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    torch.sub(x[..., 1:, :], x[..., :-1, :], out=down[..., :-1, :])
    torch.sub(x[..., 1:], x[..., :-1], out=right[..., :-1])
    return down, right


def gradient_adjoint(down: Tensor, right: Tensor) -> Tensor:
    x = torch.zeros_like(down)
    x[..., :-1, :] -= down[..., :-1, :]
    x[..., 1:, :] += down[..., :-1, :]
    x[..., :-1] -= right[..., :-1]
    x[..., 1:] += right[..., :-1]
    return x


@torch.no_grad()
def plain_tv(y: Tensor, lam: float, iterations: int) -> Tensor:
    """The image (B, 1, H, W) after ``iterations`` from y."""
    norm = 8**0.5
    tau, sigma = RATIO**0.5 / norm, RATIO**-0.5 / norm
    x, new = y.clone(), y
    p, q = torch.zeros_like(y), torch.zeros_like(y)
    for _ in range(iterations):
        new = (x - tau * gradient_adjoint(p, q) + tau * y) / (1 + tau)
        down, right = gradient(2 * new - x)
        p_new, q_new = p + sigma * down, q + sigma * right
        length = ((p_new * p_new + q_new * q_new).sqrt() / lam).clamp(min=1)
        x = x.lerp(new, RELAXATION)
        p, q = p.lerp(p_new / length, RELAXATION), q.lerp(q_new / length, RELAXATION)
    return new
