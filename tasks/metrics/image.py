"""Scores of one image: ``f(x_hat, x, params, **options) -> float``.

``x_hat`` and ``x`` are float64 CPU tensors (1, C, H, W) or (1, C, D, H, W). Options shared by all metrics:

- ``on``: ``values``; for C = 2 holding real and imaginary part, ``real`` (channel 0, unclipped) or ``magnitude``.
- ``mask``: score only where ``params["mask"]``, of the shape of the image or broadcast to it, is non-zero.
- ``demean``: remove each image's mean (inside the mask, if there is one) before scoring.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product, starmap

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from torch import Tensor
from torch.nn.functional import pad

SSIM_SIGMA, SSIM_WINDOW = 1.5, 11  # Wang et al., Image Quality Assessment, IEEE TIP 13(4), 2004
LOG_SIGMA, LOG_WINDOW = 1.5, 15  # Ravishankar and Bresler, IEEE TMI 30(5), 2011
XSIM_SIGMA, XSIM_WINDOW, XSIM_K, XSIM_RANGE = 1.5, 7, (0.01, 0.001), 1.0  # Milovic et al., see `xsim`

Params = Mapping[str, Tensor]


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
    """Peak signal-to-noise ratio in dB, 10 log10(data_range^2 / mean((x_hat - x)^2)).

    In double precision throughout, where torchmetrics takes the logarithm in single precision.
    """
    x_hat, x, inside = _prepare(x_hat, x, params, on, mask, demean)
    return float(10 * torch.log10(data_range**2 / (x_hat - x)[inside].square().mean()))


def psnr_of_best_shift(x_hat: Tensor, x: Tensor, params: Params, *, data_range: float, reach: int) -> float:
    """The best PSNR of ``x_hat`` moved by up to ``reach`` pixels along each axis, on x without a border of that width.

    As the error ratios of A. Levin, Y. Weiss, F. Durand, W. Freeman, Understanding and evaluating blind deconvolution
    algorithms, CVPR 2009, are those of the best shift.
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

    x_hat, x, _ = _prepare(x_hat, x, params, on, False, demean)
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
    x_hat, x, inside = _prepare(x_hat, x, params, on, mask, demean)
    return float((x_hat - x)[inside].square().sum() / x[inside].square().sum())


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
    x_hat, x, inside = _prepare(x_hat, x, params, on, mask, demean)
    return float(100 * (x_hat - x)[inside].norm() / x[inside].norm())


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
    kernel is that of Ravishankar and Bresler, IEEE TMI 30(5), 2011.
    """
    x_hat, x, inside = _prepare(x_hat, x, params, on, mask, demean)
    reference = _log(x * inside)
    return float(100 * (_log(x_hat * inside) - reference).norm() / reference.norm())


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
    x_hat, x, inside = _prepare(x_hat, x, params, on, mask, demean)
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


def _prepare(
    x_hat: Tensor, x: Tensor, params: Params, on: str, mask: bool, demean: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The two images as they are scored, and where: a boolean tensor of their shape."""
    if x_hat.shape != x.shape or x.ndim not in (4, 5) or len(x) != 1:
        raise ValueError(
            f"a score takes two images (1, C, H, W) or (1, C, D, H, W) of one shape, "
            f"got {tuple(x_hat.shape)} and {tuple(x.shape)}"
        )
    x_hat, x = _view(x_hat.double(), on), _view(x.double(), on)
    inside = torch.ones_like(x, dtype=torch.bool)
    if mask:
        if "mask" not in params:
            raise ValueError("a masked score needs params['mask'], got " + (", ".join(params) or "no params"))
        try:
            inside = (params["mask"] != 0).expand_as(x)
        except RuntimeError:
            shapes = f"{tuple(params['mask'].shape)} and {tuple(x.shape)}"
            raise ValueError(f"params['mask'] must broadcast to the image, got shapes {shapes}") from None
        if not inside.any():
            raise ValueError("params['mask'] is empty: there is nothing to score")
    if demean:
        x_hat, x = x_hat - x_hat[inside].mean(), x - x[inside].mean()
    return x_hat, x, inside


def _view(image: Tensor, on: str) -> Tensor:
    if on == "values":
        return image
    if image.shape[1] != 2:
        raise ValueError(f"a score on {on!r} takes a complex image with C = 2, got shape {tuple(image.shape)}")
    if on == "real":
        return image[:, :1]
    if on == "magnitude":
        return image.square().sum(1, keepdim=True).sqrt()
    raise ValueError(f"a score is on 'values', 'real' or 'magnitude', got {on!r}")


def _gaussian(sigma: float, window: int) -> NDArray[np.float64]:
    r = np.arange(window) - (window - 1) / 2
    kernel = np.exp(-(r**2) / (2 * sigma**2))
    return kernel / kernel.sum()


def _log(image: Tensor) -> Tensor:
    """Filtered by a Laplacian of a Gaussian, its kernel shifted to zero sum as MATLAB's `fspecial` does."""
    dims = image.ndim - 2
    g = _gaussian(LOG_SIGMA, LOG_WINDOW)
    r = np.arange(LOG_WINDOW) - (LOG_WINDOW - 1) / 2
    second = (r**2 / LOG_SIGMA**4 - 1 / LOG_SIGMA**2) * g
    total = dims * second.sum()  # of the kernel, as g sums to one
    shift = total * _separable(image, [np.full(LOG_WINDOW, 1 / LOG_WINDOW)] * dims)
    terms = (_separable(image, [second if axis == other else g for other in range(dims)]) for axis in range(dims))
    return sum(terms, -shift)


def _separable(image: Tensor, kernels: list[NDArray[np.float64]]) -> Tensor:
    """Convolved along each spatial axis with an odd, symmetric kernel; zeros beyond the border, same size."""
    out = image.numpy()
    for axis, kernel in enumerate(kernels, start=2):
        out = correlate1d(out, kernel, axis, mode="constant")
    return torch.from_numpy(out)
