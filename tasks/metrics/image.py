"""Scores of one image: ``f(x_hat, x, params, **options) -> float``.

``x_hat`` and ``x`` are float64 CPU tensors (1, C, H, W) or (1, C, D, H, W). The options ``on``, ``mask`` and
``demean`` choose the part of the images that is scored (`tasks.metrics.region`).
"""

from __future__ import annotations

from itertools import product, starmap

import torch
from torch import Tensor
from torch.nn.functional import pad

from tasks.metrics.region import Params, region

MOST_PSNR = 160.0  # dB; rounding to single precision alone leaves about 155 dB of images in [0, 1]
SSIM_SIGMA, SSIM_WINDOW = 1.5, 11  # Wang et al., Image Quality Assessment, IEEE TIP 13(4), 2004


def psnr(
    x_hat: Tensor,
    x: Tensor,
    params: Params,
    *,
    data_range: float,
    on: str = "values",
    mask: bool = False,
    demean: bool = False,
) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(data_range^2 / mean((x_hat - x)^2)), at most `MOST_PSNR`.

    In double precision throughout, where torchmetrics takes the logarithm in single precision.
    """
    x_hat, x, inside = region(x_hat, x, params, on, mask, demean)
    return min(MOST_PSNR, float(10 * torch.log10(data_range**2 / (x_hat - x)[inside].square().mean())))


def psnr_of_best_shift(x_hat: Tensor, x: Tensor, params: Params, *, data_range: float, reach: int) -> float:
    """The best PSNR of ``x_hat`` moved by up to ``reach`` pixels along each axis, on x without a border of that width.

    A. Levin, Y. Weiss, F. Durand, W. Freeman, Understanding and evaluating blind deconvolution algorithms, CVPR 2009,
    compare images in the same way, at their best shift.
    """
    axes = tuple(range(2, x.ndim))
    border = [-reach] * 2 * len(axes)
    inner = pad(x, border)

    def moved(*shift: int) -> float:
        return psnr(pad(x_hat.roll(shift, axes), border), inner, params, data_range=data_range)

    return max(starmap(moved, product(range(-reach, reach + 1), repeat=len(axes))))


def ssim(
    x_hat: Tensor,
    x: Tensor,
    params: Params,
    *,
    data_range: float,
    on: str = "values",
    demean: bool = False,
) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels, sigma 1.5, K = (0.01, 0.03).

    Mean over the pixels whose window lies inside the image, as in the paper; torchmetrics' own mean also takes the
    reflected border, and its convolutions in double precision are forty times slower than scikit-image's.
    """
    from skimage.metrics import structural_similarity

    x_hat, x, _ = region(x_hat, x, params, on, False, demean)
    if min(x.shape[2:]) < SSIM_WINDOW:
        raise ValueError(f"SSIM takes images of at least {SSIM_WINDOW} pixels a side, got shape {tuple(x.shape)}")
    truncate = (SSIM_WINDOW // 2) / SSIM_SIGMA
    return float(
        structural_similarity(
            x[0].numpy(),
            x_hat[0].numpy(),
            channel_axis=0,
            data_range=data_range,
            gaussian_weights=True,
            sigma=SSIM_SIGMA,
            truncate=truncate,
            use_sample_covariance=False,
        )
    )


def nmse(
    x_hat: Tensor,
    x: Tensor,
    params: Params,
    *,
    on: str = "values",
    mask: bool = False,
    demean: bool = False,
) -> float:
    """Normalised mean squared error ||x_hat - x||^2 / ||x||^2 (fastMRI: Zbontar et al., arXiv 1811.08839)."""
    x_hat, x, inside = region(x_hat, x, params, on, mask, demean)
    error, reference = (x_hat - x)[inside].square().sum(), x[inside].square().sum()
    return float(error / reference) if reference > 0 else float(error > 0)
