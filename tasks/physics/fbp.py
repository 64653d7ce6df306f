"""Filtered backprojection for parallel beams: ``x(p) = Σ_θ w_θ (h * y_θ)(s_θ(p))``.

``h`` is the ramp filter, band-limited at the detector and sampled in space, so that no frequency, DC among them, is
biased; ``w_θ`` is the angle that a view stands for; ``s_θ(p)`` is where pixel ``p`` projects to (linear interpolation).

A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging, IEEE Press 1988, ch. 3, eq. 61.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.errors import unknown
from tasks.physics.projector import Geometry

# Windows of the ramp as functions of the frequency divided by the cutoff, in [0, 1].
WINDOWS = {
    "ram-lak": lambda f: np.ones_like(f),
    "shepp-logan": lambda f: np.sinc(f / 2),
    "cosine": lambda f: np.cos(np.pi * f / 2),
    "hamming": lambda f: 0.54 + 0.46 * np.cos(np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(np.pi * f),
}
TOGETHER = 16  # views at a time on a GPU, which would wait for launches; one on a CPU, where they fit in the cache
MISSING = 2.0  # a gap between views wider than this many usual gaps is a missing wedge


@lru_cache(maxsize=32)
def ramp(bins: int, spacing: float, window: str, cutoff: float) -> np.ndarray:
    """The windowed ramp on the half spectrum of a detector padded to at least twice its bins, in 1 / length.

    ``cutoff`` is the frequency, as a fraction of the Nyquist frequency, at which the window ends; the filter is zero
    above it.
    """
    if window not in WINDOWS:
        raise unknown("window", window, WINDOWS)
    if not 0 < cutoff <= 1:
        raise ValueError(f"cutoff is a fraction of the Nyquist frequency in (0, 1], got {cutoff}")
    padded = max(64, 1 << (2 * bins - 1).bit_length())
    n = np.arange(padded)
    n = np.minimum(n, padded - n)
    kernel = np.zeros(padded)
    kernel[0] = 1 / (4 * spacing**2)
    odd = n % 2 == 1
    kernel[odd] = -1 / (math.pi * n[odd] * spacing) ** 2
    response = spacing * np.fft.rfft(kernel).real
    frequency = np.linspace(0, 1, padded // 2 + 1) / cutoff
    return response * np.where(frequency <= 1, WINDOWS[window](np.minimum(frequency, 1)), 0)


@lru_cache(maxsize=32)
def angular_weights(angles: tuple[float, ...]) -> np.ndarray:
    """The angle (radians) that each view stands for: half the way to its neighbours, modulo π.

    Next to a missing wedge the usual gap takes the place of the wedge, so that a limited arc is not scaled up to cover
    angles that were not measured.
    """
    order = np.argsort(np.mod(angles, math.pi))
    ordered = np.mod(angles, math.pi)[order]
    gaps = np.diff(ordered, append=ordered[0] + math.pi)
    distinct = gaps[gaps > 1e-6]
    usual = np.median(distinct)
    gaps[gaps > MISSING * usual] = usual
    weights = np.empty(len(angles))
    weights[order] = (gaps + np.roll(gaps, 1)) / 2
    return weights


def filter_views(y: Tensor, geometry: Geometry, window: str, cutoff: float) -> Tensor:
    """The views (..., views, bins) convolved with the windowed ramp."""
    response = ramp_on(y.device, y.dtype, geometry.bins, geometry.spacing, window, cutoff)
    padded = 2 * (len(response) - 1)
    return torch.fft.irfft(torch.fft.rfft(y, n=padded) * response, n=padded)[..., : geometry.bins]


def backproject(q: Tensor, geometry: Geometry) -> Tensor:
    """``Σ_θ w_θ q_θ(s_θ(p))``: filtered views (B, C, views, bins) to an image (B, C, size, size).

    Driven by pixels, because the adjoint of a projector that is driven by rays weights neighbouring pixels unevenly:
    that costs up to 1 dB.
    """
    q = torch.nn.functional.pad(q, (1, 1))  # linear to zero within one bin of the detector's ends
    rows = q.flatten(0, 1).permute(1, 2, 0).contiguous()  # (views, bins + 2, B * C): whole rows are gathered
    image = rows.new_zeros(geometry.size**2, rows.shape[-1])
    across, down = shadows(q.device, geometry)
    together = 1 if q.is_cpu else TOGETHER
    weights = angular_weights(geometry.angles)
    for first in range(0, len(weights), together):
        views = slice(first, first + together)
        values = along(rows[views], (across[views, None, :] - down[views, :, None]).flatten(1))
        for one, weight in zip(values, weights[views], strict=True):
            image = torch.add(image, one, alpha=float(weight))
    return image.T.reshape(*q.shape[:2], geometry.size, geometry.size)


@lru_cache(maxsize=32)
def ramp_on(device: torch.device, dtype: torch.dtype, *filter_: Any) -> Tensor:
    """The `ramp` on a device. It stays there: the device is waited for while it is brought."""
    with torch.inference_mode(False):  # for whoever differentiates later
        return torch.from_numpy(ramp(*filter_)).to(device, dtype)


@lru_cache(maxsize=32)
def shadows(device: torch.device, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Where columns and rows of pixels project to in each view, in bins, two times (views, size)."""
    with torch.inference_mode(False):
        axis = torch.arange(geometry.size, dtype=torch.float64, device=device) - (geometry.size - 1) / 2
        axis = axis * (geometry.pixel / geometry.spacing)
        cos, sin = (axis.new_tensor([f(angle) for angle in geometry.angles])[:, None] for f in (math.cos, math.sin))
        return cos * axis, sin * axis


def along(rows: Tensor, s: Tensor) -> Tensor:
    """``q_θ(s_θ(p))`` of padded views (V, bins + 2, B * C), s (V, P) in bins from their middle: (V, P, B * C)."""
    views, padded, images = rows.shape
    s = (s + (padded - 1) / 2).clamp(0, padded - 1)
    left = s.int().clamp(max=padded - 2)
    fraction = (s - left).to(rows)[..., None]
    if views > 1:  # the place among the rows of all views
        left = left + padded * torch.arange(views, dtype=torch.int32, device=s.device)[:, None]
    flat, left = rows.flatten(0, 1), left.flatten()
    below, above = (flat.index_select(0, index).view(views, -1, images) for index in (left, left + 1))
    return torch.lerp(below, above, fraction)
