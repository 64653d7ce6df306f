"""φ(z) = Σ_j w_j exp(−(u(z) − j)²/2),   u(z) = asinh(z/δ)/Δ

Functions of one variable, learned as sums of Gaussians. Their centres are evenly spaced in u: dense near z = 0, where
small differences matter, and wider towards the largest edges. So one grid serves noise of any strength. φ is
interpolated from a table whose knots are evenly spaced in u, and is constant beyond the ends of the table.

Y. Chen, T. Pock, Trainable nonlinear reaction diffusion, IEEE TPAMI 2017 (63 Gaussians, evenly spaced in z).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

REACH = 15  # |u| at the ends of the table, where |z| = 10
CENTRES = 2 * REACH + 3  # one more on each side of the table
KNOTS = 8 * REACH + 1  # of the table, four to a centre: the interpolation is within 1 % of a Gaussian
DELTA, SPACING = 0.05, 0.4  # δ, the noise that is just resolved, and Δ; set by hand, in units of the image's rms


def influence(
    z: Tensor,  # (B, N, ...)
    weights: Tensor,  # w (N, CENTRES)
) -> Tensor:
    """φ(z) of each channel, of the shape of ``z``."""
    table = weights @ gaussians().to(weights)
    u = ((torch.asinh(z / DELTA) / SPACING + REACH) * ((KNOTS - 1) / (2 * REACH))).clamp(0, KNOTS - 1)
    channel = torch.arange(z.shape[1], device=z.device).reshape(-1, *[1] * (z.ndim - 2))
    left = u.detach().nan_to_num().long().clamp(max=KNOTS - 2)
    place = left + (KNOTS - 1) * channel
    value, difference = table[:, :-1].flatten(), table.diff().flatten()
    return look_up(value, place) + look_up(difference, place) * (u - left)


def look_up(table: Tensor, place: Tensor) -> Tensor:
    """``table`` at each ``place``, with a gradient that is reproducible."""
    if table.is_cuda:  # there the gradient of index_select is summed in any order
        return table[place]
    return table.index_select(0, place.flatten()).view(place.shape)


def gaussians() -> Tensor:
    """The Gaussian of each centre at each knot of the table, (CENTRES, KNOTS)."""
    centres = torch.arange(CENTRES) - CENTRES // 2
    return torch.exp(-0.5 * (knots() - centres[:, None]) ** 2)


def knots() -> Tensor:
    """The values of u at the knots of the table."""
    return torch.linspace(-REACH, REACH, KNOTS, dtype=torch.float64)


def fit(phi: Callable[[Tensor], Tensor]) -> Tensor:
    """The weights (CENTRES,) of the sum of Gaussians nearest to ``phi`` on the knots."""
    wanted = phi(DELTA * torch.sinh(SPACING * knots()))
    return torch.linalg.lstsq(gaussians().T, wanted[:, None]).solution[:, 0].float()
