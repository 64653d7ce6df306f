"""x_hat = Σ_P w_P T⁻¹Υ(T Z_P) / Σ_P w_P,   Υ(c) = c·1(|c| > λσ), then Υ(c) = c·b²/(b² + μ²σ²)

A reference block P and the blocks most similar to it form a 3D group Z_P. A separable transform T makes the group
sparse. Υ shrinks its coefficients c, first by a threshold, then by a Wiener filter whose signal b is the transform of
the first estimate. The estimates of all blocks are averaged. A group with fewer coefficients left has a larger weight.

In the block T is biorthogonal (bior1.5) in the first step and a cosine transform in the second; along the group it is
Haar's. All constants are in units of σ, so the result scales with the image. The paper's constants are kept at every σ,
with two exceptions: no bound on the distance cuts a group short, and μ² is 0.8.

μ² was set on two unlike kinds of images of 160 to 180 pixels a side: two times six of BSD400, and six dead leaves. Of
0.4, 0.5, ..., 1 the value 0.8 serves all three sets: its mean PSNR is above the PSNR at μ² = 1 on each of them at
σ = 15/255, 25/255 and 50/255, by 0.02 to 0.06 dB on BSD400 and 0.01 to 0.04 on dead leaves. A look at eleven
photographs (some of them test scenes of the mini tracks now) showed 0.00 to 0.04 dB and decided nothing.

K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, Image denoising by sparse 3-D transform-domain collaborative filtering,
IEEE TIP 2007. M. Lebrun, An analysis and implementation of the BM3D image denoising method, IPOL 2012.
Y. Mäkinen, L. Azzari, A. Foi, Collaborative filtering of correlated noise, IEEE TIP 2020 (μ²).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor
from torch.nn.functional import hardshrink

from baselines.chunks import Chunk
from baselines.patches.block_matching import IMAGES, accumulate, aggregate, candidates, match
from baselines.patches.patches import patches
from baselines.solvers.plug_and_play import PlugAndPlay
from bench.contract.task import Track

SIDE, STEP, WINDOW = 8, 3, 39  # of blocks, of the grid of references, of the search; Dabov et al., table I
THRESHOLDED, FILTERED = 16, 32  # blocks in a group of the first and of the second step; table I
LAMBDA = 2.7  # λ; table I
MU_SQUARED = 0.8  # μ²; set on the images named above
KAISER = 2.0  # β of the window that weighs the pixels of a block; table I
HAAR = (1, 1)  # low-pass filter, up to scale; the high-pass filter of both wavelets is (1, -1)
BIOR15 = (3, -3, -22, 22, 128, 128, 22, -22, -3, 3)  # A. Cohen, I. Daubechies, J.-C. Feauveau, CPAM 1992
CHUNK = Chunk(cpu=2**17, elsewhere=2**25)  # coefficients that are shrunk at once
TINY = 1e-6  # the least σ, over the largest grey value

Shrinkage = Callable[..., tuple[Tensor, Tensor]]


class BM3D(PlugAndPlay):
    """Block matching and 3D filtering, of each channel by itself."""

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its blocks are 2D: volumes are for BM4D"

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return bm3d(x, sigma)


def bm3d(
    x: Tensor,  # (B, 1, H, W), at least 8 x 8 pixels
    sigma: Tensor,  # (B,), the noise's standard deviation in the unit of x
) -> Tensor:
    """The images without their white Gaussian noise, (B, 1, H, W)."""
    count = IMAGES.count(x)
    parts = zip(x.split(count), sigma.view(-1, 1, 1, 1).split(count), strict=True)
    return torch.cat([bm3d_together(images, s) for images, s in parts])


def bm3d_together(x: Tensor, sigma: Tensor) -> Tensor:
    """`bm3d` of all images at once, with ``sigma`` (B, 1, 1, 1).

    The last digits of an image may depend on its batch.
    """
    largest = x.abs().amax((1, 2, 3), keepdim=True)
    sigma = torch.maximum(sigma, TINY * largest).clamp(min=torch.finfo(x.dtype).tiny)
    noisy = x / sigma
    basic = collaborate(noisy, (noisy,), wavelet(SIDE, BIOR15), THRESHOLDED, threshold)
    cosine = dct(np.eye(SIDE), axis=0, norm="ortho")
    return sigma * collaborate(basic, (noisy, basic), cosine, FILTERED, wiener)


def collaborate(
    guide: Tensor,  # (B, 1, H, W), the image in which blocks are matched
    images: tuple[Tensor, ...],  # whose spectra (N, groups, side²) go to ``shrink``
    transform: np.ndarray,  # (side, side), of rows and columns
    count: int,  # N, a power of two
    shrink: Shrinkage,  # gives estimates of the spectra, and the weight of each group
) -> Tensor:
    """The images (B, 1, H, W) after grouping, shrinking and averaging.

    Every step but ``shrink`` is linear, so blocks are transformed before they are grouped, and back after the sum.
    """
    batch, height, width = len(guide), *guide.shape[2:]
    count = min(count, 1 << candidates(guide, SIDE, STEP, WINDOW).bit_length() - 1)
    kaiser = np.kaiser(SIDE, KAISER)
    backward = kaiser[:, None] * np.linalg.inv(transform)
    forward, inverse, along, window = (
        torch.from_numpy(matrix).to(guide)
        for matrix in (np.kron(transform, transform).T, np.kron(backward, backward), wavelet(count, HAAR), kaiser)
    )
    tables = [torch.cat([patches(image, SIDE) for image in guided[:, 0]]) @ forward for guided in images]
    total, weights = torch.zeros_like(tables[0]), tables[0].new_zeros(len(tables[0]))
    index = match(guide, SIDE, STEP, WINDOW, count)[0]  # (B, groups, N)
    first = torch.arange(batch, device=index.device) * (len(total) // batch)  # row of each image in the tables
    index = (index + first[:, None, None]).flatten(0, 1).T
    for part in index.split(CHUNK.count(guide, count * SIDE**2), dim=1):
        members = part.flatten()
        groups = (table.index_select(0, members).view(count, -1) for table in tables)
        estimate, weight = shrink(*((along @ group).view(count, -1, SIDE**2) for group in groups))
        estimate = along.T @ (estimate * weight[:, None]).view(count, -1)
        accumulate(total, members, estimate.view(-1, SIDE**2))
        accumulate(weights, members, weight.repeat(count))
    total, weights = total.view(batch, -1, SIDE**2), weights.view(batch, -1)
    return aggregate(inverse @ total.mT, weights, (height, width), window)


def threshold(noisy: Tensor) -> tuple[Tensor, Tensor]:
    """The coefficients above λ and the group's weight, one over their number. The mean is kept, as in `wiener`."""
    estimate = hardshrink(noisy, LAMBDA)
    estimate[0, :, 0] = noisy[0, :, 0]
    return estimate, 1 / estimate.count_nonzero((0, 2)).clamp(min=1).to(estimate)


def wiener(noisy: Tensor, basic: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients times b²/(b² + μ²), and the group's weight, one over the sum of the squared factors."""
    power = basic.square()
    factor = power.div_(power + MU_SQUARED)
    factor[0, :, 0] = 1
    return noisy * factor, 1 / factor.square().sum((0, 2))


def wavelet(n: int, low: tuple[int, ...]) -> np.ndarray:
    """The periodic dyadic transform of n samples, with their mean first: (n, n), rows of norm one."""
    transform, m = np.eye(n), n
    while m > 1:
        level = np.zeros((m, m))
        for i in range(m // 2):
            np.add.at(level[i], (2 * i + 1 - len(low) // 2 + np.arange(len(low))) % m, low)
            level[m // 2 + i, 2 * i : 2 * i + 2] = 1, -1
        transform[:m] = level @ transform[:m]
        m //= 2
    return transform / np.linalg.norm(transform, axis=1, keepdims=True)
