"""min_{x, h∈Δ} ‖h ⊛ x − y‖² + λ₀ ‖∇x‖₀,   then x_hat = argmin_x f(x; h) + λ TV(x)

Blind deconvolution updates kernel and image in turn, from coarse to fine. A scale starts with the kernel of the last.

    x ← argmin ‖h ⊛ x − y‖² + λ₀ #{∇x ≠ 0}    splitting g = ∇x: hard thresholds, and a division of spectra
    h ← argmin_{h∈Δ} ½‖h ⊛ ∇x − ∇y‖² + γ/2 ‖h‖²    accelerated projected gradient on the simplex Δ

The count of gradients leaves only a few strong edges. Such an image is not natural, but it determines the kernel: with
total variation, a natural prior, the blurred image and a delta would be the cheaper pair. λ₀ falls, so that more and
more edges take part. The last step is deconvolution by the kernel found. Kernels are not negative, have sum one, and
are centred, since a shift of the kernel is a shift of the image. The boundary is periodic, as for the operators.

L. Xu, S. Zheng, J. Jia, Unnatural L0 sparse representation for natural image deblurring, CVPR 2013.
L. Xu, C. Lu, Y. Xu, J. Jia, Image smoothing via L0 gradient minimization, ACM Trans. Graph. 2011 (the splitting).
S. Cho, S. Lee, Fast motion deblurring, ACM Trans. Graph. 2009 (kernels from gradients, small values dropped).
D. Perrone, P. Favaro, A clearer picture of total variation blind deconvolution, IEEE TPAMI 2016 (why not by TV alone).
"""

from __future__ import annotations

from math import ceil, log, log2, pi, sqrt
from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor
from torch.fft import fft2, fftfreq, fftshift, ifft2, ifftshift, irfft2, rfft2, rfftfreq
from torch.nn.functional import affine_grid, grid_sample, interpolate, pad

from baselines.functionals.data_fit import data_fit
from baselines.functionals.total_variation import total_variation
from baselines.solvers.primal_dual import pdhg
from baselines.solvers.variational import WEIGHT
from bench.contract.method import Method
from bench.contract.operators import Blind, direct
from bench.contract.space import Float
from bench.contract.task import Track

# Set by sweeps on photographs of the training and validation splits
RATIO = sqrt(2)  # ratio of a scale to the next coarser one
COARSEST = 3  # side of the kernel at the coarsest scale, in pixels
TAPER = 0.5  # width of the Gaussian that smooths an image before it is reduced, in pixels of the coarser scale
TURNS = 5  # updates of image and kernel at each scale
FALL = 10.0  # factor by which λ₀ falls from the first turn to the last
FIRST, LAST = 1 / 8, 100.0  # weights β of ‖∇x − g‖², the first in units of λ₀; they double, as in Xu et al. 2011
RIDGE = 1e-3  # γ over ‖∇x‖²
DROPPED = 0.1  # share of a kernel's largest value below which a value is noise
DESCENTS = 100  # steps of the minimisation of a kernel


class BlindDeconvolution(Method):
    """``lam``: λ in the unit of the image. ``edges``: λ₀ in units of the variance of y."""

    search_space: ClassVar = {"lam": WEIGHT, "edges": Float(0.1, 2.0, log=True)}

    def __init__(self, lam: float = 0.002, edges: float = 0.5, iterations: int = 150) -> None:
        super().__init__()
        self.lam = lam
        self.edges = edges
        self.iterations = iterations  # of the last deconvolution

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.blind else "it estimates a kernel, and the operator of this track is known"

    @torch.no_grad()
    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        assert isinstance(physics, Blind)
        images = []
        for image in y[:, None]:  # each with its own kernel
            blur = physics.with_kernel(estimate(image, physics.kernel_size, self.edges))
            f, g = data_fit(blur, image), total_variation(self.lam, image.ndim - 2)
            images.append(pdhg(direct(image, blur), f, g, self.iterations, lambda v: None))
        return torch.cat(images)

    @torch.no_grad()
    def atoms(self, y: Tensor, physics: LinearPhysics) -> dict[str, Tensor]:
        assert isinstance(physics, Blind)
        return {"kernel": estimate(y[:1], physics.kernel_size, self.edges)[None]}


def estimate(y: Tensor, size: int, edges: float) -> Tensor:
    """The kernel (s, s) by which the image ``y`` (1, C, H, W) was blurred, s the largest odd number up to ``size``."""
    size = min(size, *y.shape[-2:])
    y = y - y.mean()
    y = y / y.std().clamp(min=torch.finfo(y.dtype).tiny)  # an even image stays zero
    largest = size - 1 + size % 2
    scales = [RATIO**-k for k in range(ceil(log(max(size / COARSEST, 1), RATIO)) + 1)][::-1]
    h = delta(min(COARSEST, largest)).to(y)
    for i, scale in enumerate(scales):
        reduced = reduce(y, scale)
        h = resize(h, min(largest, max(COARSEST, 2 * int(size * scale / 2) + 1)))
        for turn in range(i * TURNS, (i + 1) * TURNS):
            lam = edges * FALL ** -(turn / (len(scales) * TURNS - 1))
            h = fit_kernel(sharpen(y=reduced, h=centre(h), lam=lam), gradient(reduced), h)
            h = torch.where(h < DROPPED * h.max(), 0, h)
            h = h / h.sum()
    return centre(h)


def sharpen(y: Tensor, h: Tensor, lam: float) -> Tensor:
    """The few gradients (2, 1, C, H, W) of argmin_x ‖h ⊛ x − y‖² + lam #{∇x ≠ 0}, found by splitting."""
    shape = y.shape[-2:]
    transfer = transfer_function(h, shape)
    right, power, laplacian = transfer.conj() * rfft2(y), transfer.abs().square(), laplacian_spectrum(y)
    doublings = max(1, ceil(log2(LAST / (FIRST * lam))))
    x = y
    for beta in (FIRST * lam * 2**k for k in range(doublings)):
        g = gradient(x)
        g = g * (g.square().sum((0, 2), keepdim=True) > lam / beta)
        x = irfft2((right + beta * rfft2(gradient_adjoint(g))) / (power + beta * laplacian), s=shape)
    return g


def fit_kernel(edges: Tensor, blurred_edges: Tensor, h: Tensor) -> Tensor:
    """argmin_{h∈Δ} ½‖h ⊛ ∇x − ∇y‖² + γ/2 ‖h‖² of the support of ``h`` (s, s), where the iterations start.

    ``edges`` ∇x and ``blurred_edges`` ∇y are (2, 1, C, H, W); their correlations make the normal equations.
    """
    (rows, columns), radius = edges.shape[-2:], len(h) // 2
    spectrum = rfft2(edges)
    auto = irfft2(spectrum.abs().square().sum((0, 1, 2)), s=(rows, columns))
    cross = irfft2((spectrum.conj() * rfft2(blurred_edges)).sum((0, 1, 2)), s=(rows, columns))
    side = torch.arange(-radius, radius + 1, device=h.device)
    offset = torch.cartesian_prod(side, side)
    apart = offset[:, None] - offset
    M = auto[apart[..., 0] % rows, apart[..., 1] % columns]
    M = M + RIDGE * auto[0, 0] * torch.eye(len(M)).to(M)
    return minimise_on_simplex(M, cross[offset[:, 0] % rows, offset[:, 1] % columns], h.flatten()).reshape(h.shape)


def minimise_on_simplex(M: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """argmin_{h∈Δ} ½hᵀMh − bᵀh, (n,), by accelerated projected gradient with restarts where the momentum points uphill.

    B. O'Donoghue, E. Candès, Adaptive restart for accelerated gradient schemes, Found. Comput. Math. 2015.
    """
    L = torch.linalg.eigvalsh(M)[-1].clamp(min=torch.finfo(M.dtype).tiny)
    h, ahead, t = start, start, torch.ones_like(L)
    for _ in range(DESCENTS):
        h_new = project_on_simplex(ahead - (M @ ahead - b) / L)
        uphill = (ahead - h_new) @ (h_new - h) > 0
        t_new = torch.where(uphill, 1.0, (1 + (1 + 4 * t**2).sqrt()) / 2)
        ahead = h_new + torch.where(uphill, 0.0, (t - 1) / t_new) * (h_new - h)
        h, t = h_new, t_new
    return h


def project_on_simplex(v: Tensor) -> Tensor:
    """The point nearest to ``v`` (n,) with components >= 0 of sum one, by sorting.

    J. Duchi, S. Shalev-Shwartz, Y. Singer, T. Chandra, Efficient projections onto the ℓ₁-ball, ICML 2008.
    """
    u = v.sort(descending=True).values
    excess = (u.cumsum(0) - 1) / torch.arange(1, len(v) + 1, device=v.device)
    return (v - excess.take((u > excess).sum() - 1)).clamp(min=0)


def delta(side: int) -> Tensor:
    """The kernel (side, side) that leaves an image as it is."""
    h = torch.zeros(side, side)
    h[side // 2, side // 2] = 1
    return h


def centre(h: Tensor) -> Tensor:
    """``h`` (s, s), shifted by bilinear interpolation so that its centre of mass is at the centre pixel."""
    offset = torch.arange(len(h)).to(h) - len(h) // 2
    row, column = h.sum(1) @ offset, h.sum(0) @ offset
    one, zero = torch.ones_like(row), torch.zeros_like(row)
    move = torch.stack([one, zero, 2 * column / len(h), zero, one, 2 * row / len(h)]).reshape(1, 2, 3)
    moved = grid_sample(h[None, None], affine_grid(move, [1, 1, *h.shape], align_corners=False), align_corners=False)
    return moved[0, 0] / moved.sum()


def resize(h: Tensor, side: int) -> Tensor:
    """The kernel ``h`` on (side, side) pixels, by bilinear interpolation, of sum one."""
    h = interpolate(h[None, None], (side, side), mode="bilinear", align_corners=False)[0, 0]
    return h / h.sum()


def reduce(y: Tensor, scale: float) -> Tensor:
    """The periodic image ``y`` (..., H, W) on a grid coarser by ``scale``: its low frequencies, times a Gaussian."""
    if scale == 1:
        return y
    spectrum = fftshift(fft2(y), dim=(-2, -1))
    for axis, n in ((-2, y.shape[-2]), (-1, y.shape[-1])):
        m = round(n * scale)
        window = torch.exp(-2 * (pi * TAPER * fftshift(fftfreq(m, dtype=y.dtype, device=y.device))) ** 2) * m / n
        spectrum = spectrum.narrow(axis, n // 2 - m // 2, m) * (window if axis == -1 else window[:, None])
    return ifft2(ifftshift(spectrum, dim=(-2, -1))).real.to(y.dtype)


def transfer_function(h: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The spectrum of the periodic convolution by ``h`` of images of that ``shape`` (H, W)."""
    (rows, columns), side = shape, len(h)
    padded = pad(h, (0, columns - side, 0, rows - side))
    return rfft2(padded.roll((-(side // 2), -(side // 2)), (0, 1)))


def laplacian_spectrum(like: Tensor) -> Tensor:
    """The spectrum of ∇ᵀ∇ with periodic differences, on the half of frequencies that `rfft2` keeps."""
    f = [g(n, dtype=like.dtype, device=like.device) for g, n in zip((fftfreq, rfftfreq), like.shape[-2:], strict=True)]
    rows, columns = (4 * torch.sin(pi * axis) ** 2 for axis in f)
    return rows[:, None] + columns


def gradient(x: Tensor) -> Tensor:
    """Periodic forward differences (2, B, C, H, W)."""
    return torch.stack([x.roll(-1, axis) - x for axis in (-2, -1)])


def gradient_adjoint(p: Tensor) -> Tensor:
    return p[0].roll(1, -2) - p[0] + p[1].roll(1, -1) - p[1]
