"""x_hat = Σ_P w_P T⁻¹Υ(T Z_P) / Σ_P w_P,   Υ(c) = c·1(|c| > λ√v), then Υ(c) = c·b²/(b² + μ²v)

A reference block P and the blocks most similar to it form a 3D group Z_P. A separable transform T makes the group
sparse. Υ shrinks its coefficients c, first by a threshold, then by a Wiener filter whose signal b is the transform of
the first estimate. The estimates of all blocks are averaged. A group that keeps less noise has a larger weight.

In the block T is biorthogonal (bior1.5) in the first step and a cosine transform in the second; along the group it is
Haar's. v is the variance of the noise in a coefficient. Since the blocks of a group overlap, it is not σ² everywhere,
and `GroupNoise` computes it, as Mäkinen et al. do. All constants are in units of σ, so the result scales with the
image. The constants of Dabov et al. are kept at every σ, with two exceptions: no bound on the distance cuts a group
short, and μ² is 0.6.

μ² was set on two unlike kinds of images of 160 pixels a side, six of BSD400 and five dead leaves, at σ = 15/255, 25/255
and 50/255. Of 0.4, 0.5 and 0.6 the value 0.6 has the largest of the least gains of these six sets over v = σ² and
μ² = 0.8, just before 0.5: it gains 0.08, 0.06 and 0.04 dB on BSD400, 0.06, 0.07 and 0.03 dB on dead leaves. 0.5 and
0.6 are within noise of each other, and λ = 2.85 with μ² = 0.4 is as good on them. Four photographs, some of them test
scenes of the mini tracks, were seen before the choice: -0.01 to 0.06 dB at σ = 25/255.

K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, Image denoising by sparse 3-D transform-domain collaborative filtering,
IEEE TIP 2007. M. Lebrun, An analysis and implementation of the BM3D image denoising method, IPOL 2012.
Y. Mäkinen, L. Azzari, A. Foi, Collaborative filtering of correlated noise, IEEE TIP 2020 (v).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

from baselines.chunks import Chunk
from baselines.patches.block_matching import accumulate, aggregate, candidates, match
from baselines.patches.group_noise import GroupNoise
from baselines.patches.patches import patches
from baselines.solvers.plug_and_play import PlugAndPlay
from baselines.threads import each
from bench.contract.task import Track

SIDE, STEP, WINDOW = 8, 3, 39  # of blocks, of the grid of references, of the search; Dabov et al., table I
THRESHOLDED, FILTERED = 16, 32  # blocks in a group of the first and of the second step; table I
LAMBDA = 2.7  # λ; table I
MU_SQUARED = 0.6  # μ²; set on the images named above
KAISER = 2.0  # β of the window that weighs the pixels of a block; table I
HAAR = (1, 1)  # low-pass filter, up to scale; the high-pass filter of both wavelets is (1, -1)
BIOR15 = (3, -3, -22, 22, 128, 128, 22, -22, -3, 3)  # A. Cohen, I. Daubechies, J.-C. Feauveau, CPAM 1992
CHUNK = Chunk(cpu=2**17, elsewhere=2**24)  # coefficients that are shrunk at once
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
    return torch.stack(each(bm3d_one, x, sigma))


def bm3d_one(x: Tensor, sigma: Tensor) -> Tensor:
    """`bm3d` of one image (1, H, W), so that it does not depend on its batch."""
    sigma = torch.maximum(sigma, TINY * x.abs().max()).clamp(min=torch.finfo(x.dtype).tiny)
    noisy = x[None] / sigma
    basic = collaborate(noisy, (noisy,), wavelet(SIDE, BIOR15), THRESHOLDED, threshold)
    cosine = dct(np.eye(SIDE), axis=0, norm="ortho")
    return sigma * collaborate(basic, (noisy, basic), cosine, FILTERED, wiener)[0]


def collaborate(
    guide: Tensor,  # (1, 1, H, W), the image in which blocks are matched
    images: tuple[Tensor, ...],  # whose spectra (N, groups, side²) go to ``shrink``
    transform: np.ndarray,  # (side, side), of rows and columns
    count: int,  # N, a power of two
    shrink: Shrinkage,  # maps spectra and their noise's variances to estimates, and to the weight of each group
) -> Tensor:
    """The image (1, 1, H, W) after grouping, shrinking and averaging.

    Every step but ``shrink`` is linear, so blocks are transformed before they are grouped, and back after the sum.
    """
    height, width = guide.shape[2:]
    count = min(count, 1 << candidates(guide, SIDE, STEP, WINDOW).bit_length() - 1)
    index = match(guide, SIDE, STEP, WINDOW, count)[0][0].T
    kaiser = np.kaiser(SIDE, KAISER)
    backward = kaiser[:, None] * np.linalg.inv(transform)
    forward, inverse, along, window = (
        torch.from_numpy(matrix).to(guide)
        for matrix in (np.kron(transform, transform).T, np.kron(backward, backward), wavelet(count, HAAR), kaiser)
    )
    noise = GroupNoise(transform, count, width - SIDE + 1, guide)
    tables = [patches(image[0, 0], SIDE) @ forward for image in images]
    total, weights = torch.zeros_like(tables[0]), tables[0].new_zeros(len(tables[0]))
    for part in index.split(CHUNK.count(guide, count * SIDE**2), dim=1):
        members = part.flatten()
        groups = (table.index_select(0, members).view(count, -1) for table in tables)
        spectra = ((along @ group).view(count, -1, SIDE**2) for group in groups)
        estimate, weight = shrink(*spectra, noise(part))
        estimate = along.T @ estimate.mul_(weight[:, None]).view(count, -1)
        accumulate(total, members, estimate.view(-1, SIDE**2))
        accumulate(weights, members, weight.repeat(count))
    return aggregate((inverse @ total.T)[None], weights[None], (height, width), window)


def threshold(noisy: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """The coefficients above λ√v, and one over the noise's variance in them. The mean is kept, as in `wiener`."""
    kept = noisy.square().gt_(LAMBDA**2 * variance)
    kept[0, :, 0] = 1
    return noisy * kept, 1 / kept.mul_(variance).sum((0, 2))


def wiener(noisy: Tensor, basic: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients times b²/(b² + μ²v), and one over the noise's variance in them."""
    power = basic.square()
    factor = power.div_(power.add(variance, alpha=MU_SQUARED))
    factor[0, :, 0] = 1
    return noisy * factor, 1 / factor.square().mul_(variance).sum((0, 2))


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
