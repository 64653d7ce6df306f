"""Scores of one susceptibility map: ``f(x_hat, x, params, **options) -> float``.

``x_hat`` and ``x`` are float64 CPU tensors (1, 1, D, H, W) in ppm. Both maps are demeaned and scored inside the brain
mask ``params["mask"]``, as a susceptibility is known up to a constant (options ``demean`` and ``mask`` of
`tasks.metrics.region`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from torch import Tensor

from tasks.metrics.region import Params, region, relative_error

LOG_SIGMA, LOG_WINDOW = 1.5, 15  # Ravishankar and Bresler, IEEE TMI 30(5), 2011
XSIM_SIGMA, XSIM_WINDOW, XSIM_K, XSIM_RANGE = 1.5, 7, (0.01, 0.001), 1.0  # Milovic et al., see `xsim`


def nrmse(
    x_hat: Tensor,
    x: Tensor,
    params: Params,
    *,
    on: str = "values",
    mask: bool = True,
    demean: bool = True,
) -> float:
    """Demeaned root mean squared error in percent, 100 ||x_hat - x|| / ||x|| inside the mask.

    The RMSE of the QSM reconstruction challenge (Langkammer et al., MRM 79(3), 2018), after the mean of each map inside
    the mask is removed: susceptibility is known up to a constant.
    """
    x_hat, x, inside = region(x_hat, x, params, on, mask, demean)
    return relative_error(x_hat[inside], x[inside], 100)


def hfen(
    x_hat: Tensor,
    x: Tensor,
    params: Params,
    *,
    on: str = "values",
    mask: bool = True,
    demean: bool = True,
) -> float:
    """High-frequency error norm in percent, 100 ||L x_hat - L x|| / ||L x||, with L the Laplacian of a Gaussian.

    As in the QSM reconstruction challenge (Langkammer et al., MRM 79(3), 2018): maps set to zero outside the mask, a
    15-voxel kernel with sigma 1.5 voxels and zero sum, zeros beyond the border, norms over the whole volume. The
    kernel follows Ravishankar and Bresler, IEEE TMI 30(5), 2011.
    """
    x_hat, x, inside = region(x_hat, x, params, on, mask, demean)
    return relative_error(_laplacian_of_gaussian(x_hat * inside), _laplacian_of_gaussian(x * inside), 100)


def xsim(
    x_hat: Tensor,
    x: Tensor,
    params: Params,
    *,
    on: str = "values",
    mask: bool = True,
    demean: bool = True,
) -> float:
    """Structural similarity for susceptibility maps in ppm; 1 is best.

    Milovic, Tejos, Silva, Shmueli and Irarrazaval, XSIM: A structural similarity index measure optimized for MRI QSM,
    MRM 93(1), 2025: SSIM with K = (0.01, 0.001), L = 1 ppm and no rescaling; a Gaussian window of 7 voxels and sigma
    1.5, zeros beyond the border; maps set to zero outside the mask, mean over the mask.
    """
    x_hat, x, inside = region(x_hat, x, params, on, mask, demean)
    x_hat, x = x_hat * inside, x * inside
    c1, c2 = ((k * XSIM_RANGE) ** 2 for k in XSIM_K)
    kernel = _gaussian(XSIM_SIGMA, XSIM_WINDOW)

    def average(image: Tensor) -> Tensor:
        return _separable(image, [kernel] * (image.ndim - 2))

    mean_hat, mean = average(x_hat), average(x)
    variances = average(x_hat.square()) - mean_hat.square() + average(x.square()) - mean.square()
    covariance = average(x_hat * x) - mean_hat * mean
    luminance = (2 * mean_hat * mean + c1) / (mean_hat.square() + mean.square() + c1)
    return float((luminance * (2 * covariance + c2) / (variances + c2))[inside].mean())


def _gaussian(sigma: float, window: int) -> NDArray[np.float64]:
    r = np.arange(window) - (window - 1) / 2
    kernel = np.exp(-(r**2) / (2 * sigma**2))
    return kernel / kernel.sum()


def _laplacian_of_gaussian(image: Tensor) -> Tensor:
    """``image`` filtered by a Laplacian of a Gaussian, its kernel shifted to zero sum as MATLAB's `fspecial` does."""
    dims = image.ndim - 2
    g = _gaussian(LOG_SIGMA, LOG_WINDOW)
    r = np.arange(LOG_WINDOW) - (LOG_WINDOW - 1) / 2
    second = (r**2 / LOG_SIGMA**4 - 1 / LOG_SIGMA**2) * g
    total = dims * second.sum()  # of the kernel, as g sums to one
    shift = total * _separable(image, [np.full(LOG_WINDOW, 1 / LOG_WINDOW)] * dims)
    terms = (_separable(image, [second if axis == other else g for other in range(dims)]) for axis in range(dims))
    return sum(terms, -shift)


def _separable(image: Tensor, kernels: list[NDArray[np.float64]]) -> Tensor:
    """``image`` convolved along each spatial axis with an odd, symmetric kernel; zeros beyond the border, same size."""
    out = image.numpy()
    for axis, kernel in enumerate(kernels, start=2):
        out = correlate1d(out, kernel, axis, mode="constant")
    return torch.from_numpy(out)
