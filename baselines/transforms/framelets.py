"""c = Wx with WᵀW = I: undecimated tight frames of B-spline framelets, by the unitary extension principle.

The filters of order m are, for l = 0, ..., m,

    ĥ_l(ω) = √(m choose l) cos(ω/2)^{m−l} (i sin(ω/2))^l,   Σ_l |ĥ_l|² = (cos² + sin²)^m = 1,

h_0 the refinement mask of the B-spline: m = 1 is Haar, 2 piecewise linear ([1 2 1]/4, √2[1 0 −1]/4, [−1 2 −1]/4),
4 cubic. In n dimensions filters are tensor products. At level j, 2^{j−1} − 1 zeros stand between the taps (à trous).

Images are mirrored at their edges (half-sample symmetry). Even orders stay exactly tight then: their filters are
symmetric or antisymmetric, so each half of the mirrored image holds half of its energy. Odd orders have no centre
pixel; for them images wrap around.

A. Ron, Z. Shen, Affine systems in L2(R^d): the analysis of the analysis operator, J. Funct. Anal. 1997.
J.-F. Cai, R. Chan, Z. Shen, A framelet-based image inpainting algorithm, Appl. Comput. Harmon. Anal. 2008.
B. Dong, Z. Shen, MRA-based wavelet frames and applications, IAS/Park City Mathematics Series 2013.
"""

from __future__ import annotations

from math import comb, log2, sqrt

import numpy as np
import torch
from torch import Tensor


class Framelets:
    """The transform of images like ``image`` (B, C, ...): coefficients (bands, B, C, ...), the approximation first.

    ``weights`` (bands, 1, 1, ...) is 0 at the approximation, which a prior leaves alone. At a detail it is the norm of
    the band's filter, which is the standard deviation in this band of white noise of standard deviation one.
    There is at least one level, and no further one whose taps would spread over more than the shortest side.
    """

    def __init__(self, image: Tensor, order: int = 2, levels: int = 2) -> None:
        self.dims = image.ndim - 2
        levels = max(1, min(levels, int(log2(min(image.shape[2:]) / order))))
        self.filters = bspline_filters(order)
        self.dilations = [2**level for level in range(levels)]
        self.samples = [[mirror(n, order, d).to(image.device) for n in image.shape[2:]] for d in self.dilations]
        norms = band_norms(self.filters, self.dilations, self.dims)
        self.weights = image.new_tensor([0, *norms[1:]]).reshape(-1, *[1] * image.ndim)

    def analysis(self, x: Tensor) -> Tensor:
        """Wx of ``x`` (B, C, ...)."""
        details: list[Tensor] = []
        bands = x[None]
        for dilation, samples in zip(self.dilations, self.samples, strict=True):
            for axis, index in enumerate(samples, start=3):
                bands = filter_axis(bands, axis, self.filters, dilation, index)
            details.insert(0, bands[1:])
            bands = bands[:1]
        return torch.cat([bands, *details])

    def adjoint(self, c: Tensor) -> Tensor:
        """Wᵀc, the inverse on the range of W."""
        bands, details = c[:1], c[1:].chunk(len(self.dilations))
        for level, detail in zip(reversed(range(len(self.dilations))), details, strict=True):
            bands = torch.cat([bands, detail])
            for axis, index in reversed(list(enumerate(self.samples[level], start=3))):
                bands = filter_axis_adjoint(bands, axis, self.filters, self.dilations[level], index)
        return bands[0]


def bspline_filters(order: int) -> list[list[float]]:
    """The taps of h_0, ..., h_m: √(m choose l) 2^{−m} (1 + z)^{m−l} (1 − z)^l. Signs are a matter of convention."""
    low, high = np.poly1d([1, 1]), np.poly1d([1, -1])
    scales = [sqrt(comb(order, number)) / 2**order for number in range(order + 1)]
    return [(scale * low ** (order - number) * high**number).coeffs.tolist() for number, scale in enumerate(scales)]


def band_norms(filters: list[list[float]], dilations: list[int], dims: int) -> list[float]:
    """The Euclidean norm of every band's filter, in the order of the bands."""
    norms: list[float] = []
    low = np.ones(1)
    for dilation in dilations:
        taps = [np.convolve(low, upsample(h, dilation)) for h in filters]
        product = np.ones(())
        for _ in range(dims):
            product = np.multiply.outer(product, [np.linalg.norm(h) for h in taps])
        approximation, *details = product.ravel().tolist()
        norms = details + norms
        low = taps[0]
    return [approximation, *norms]


def upsample(taps: list[float], dilation: int) -> np.ndarray:
    """The ``taps`` with ``dilation - 1`` zeros between them."""
    upsampled = np.zeros((len(taps) - 1) * dilation + 1)
    upsampled[::dilation] = taps
    return upsampled


def filter_axis(x: Tensor, axis: int, filters: list[list[float]], dilation: int, samples: Tensor) -> Tensor:
    """Every band of ``x`` (n, B, C, ...) through all filters along an axis: (n (m+1), B, C, ...).

    Sums of shifted slices: as fast on a CPU as one n-dimensional convolution, and its adjoint three times faster.
    """
    n = x.shape[axis]
    extended = x.index_select(axis, samples)
    out = x.new_zeros(len(x), len(filters), *x.shape[1:])
    for number, taps in enumerate(filters):
        band = out[:, number]
        for k, tap in enumerate(taps):
            if tap:
                band.add_(extended.narrow(axis, k * dilation, n), alpha=tap)
    return out.flatten(0, 1)


def filter_axis_adjoint(c: Tensor, axis: int, filters: list[list[float]], dilation: int, samples: Tensor) -> Tensor:
    """The adjoint of `filter_axis`: (n (m+1), B, C, ...) to (n, B, C, ...)."""
    n = c.shape[axis]
    c = c.unflatten(0, (-1, len(filters)))
    shape = list(c[:, 0].shape)
    extended = c.new_zeros(*shape[:axis], len(samples), *shape[axis + 1 :])
    for number, taps in enumerate(filters):
        band = c[:, number]
        for k, tap in enumerate(taps):
            if tap:
                extended.narrow(axis, k * dilation, n).add_(band, alpha=tap)
    return c.new_zeros(shape).index_add_(axis, samples, extended)


def mirror(n: int, order: int, dilation: int) -> Tensor:
    """The samples under the taps along an axis of n samples: mirrored beyond its ends, or wrapped for an odd order."""
    index = torch.arange(-(order // 2) * dilation, n + (order - order // 2) * dilation)
    if order % 2:
        return index % n
    index = index % (2 * n)
    return torch.minimum(index, 2 * n - 1 - index)
