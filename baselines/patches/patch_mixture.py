"""p(x) = Σ_k π_k N(x; 0, Σ_k + εI),   x_hat = Σ_k (Σ_k + σ²I)⁻¹ y with the k that maximises π_k N(y; 0, Σ_k + σ²I)

A mixture of Gaussians for image patches without their means. It is learned by stepwise EM, which adds the statistics of
each sample to a running mean at a falling rate. It removes white noise y − x of variance σ² from a patch by the Wiener
filter of the likeliest component.

Σ_k is stored as eigenvalues λ_i and eigenvectors u_i. The mean t replaces the last eigenvalues, which differ by at most
σ². A density then needs only the eigenvectors before this flat tail:
yᵀ(Σ_k + σ²I)⁻¹y = |y|²/(t + σ²) − Σ_i (1/(t + σ²) − 1/(λ_i + σ²)) (u_iᵀy)².

D. Zoran, Y. Weiss, From learning models of natural image patches to whole image restoration, ICCV 2011.
O. Cappé, E. Moulines, On-line expectation-maximization for latent data models, J. R. Stat. Soc. B 2009.
S. Parameswaran et al., Accelerating GMM-based patch priors for image restoration, IEEE TIP 2019 (flat tails).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from baselines.chunks import Chunk

RATE_EXPONENT = 0.6  # of the rate (t + t_0)^-0.6 of step t, as Cappé and Moulines 2009
HEAD_START = 8  # t_0, the number of steps that the seeds are worth; set by hand
FLOOR = 3e-4  # ε, in units of the mean square: 2 of 255 grey values of a photograph, well below any track's noise
FLAT = 1.0  # the largest difference of the λ_i/σ² in a tail; 0.01 dB below exact densities, at half their cost
UNLEARNED = 0.01  # λ_i before learning
DEAD = 0.1  # share of the mean weight below which a component is dead; set by hand
TINY = 1e-12  # the weight of a component that no patch belongs to
CHUNK = Chunk(cpu=1024, elsewhere=65_536)  # patches whose densities are found at once


class PatchMixture(nn.Module):
    """``components`` Gaussians in ``size`` dimensions. Patches are columns, (size, N), and have no mean."""

    weights: Tensor  # π, (K,)
    values: Tensor  # λ, (K, size), falling
    vectors: Tensor  # u, (K, size, size), in columns
    steps: Tensor  # of learning, ()

    def __init__(self, components: int, size: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("values", torch.full((components, size), UNLEARNED))
        self.register_buffer("vectors", torch.eye(size).repeat(components, 1, 1))
        self.register_buffer("steps", torch.tensor(0))

    @property
    def covariances(self) -> Tensor:
        """Σ, (K, size, size)."""
        return (self.vectors * self.values[:, None]) @ self.vectors.mT

    def set_components(self, weights: Tensor, covariances: Tensor) -> None:
        """Replaces all π (K,) and Σ (K, size, size)."""
        values, vectors = torch.linalg.eigh(covariances)
        self.weights.copy_(weights)
        self.values.copy_(values.flip(1).clamp(min=0))
        self.vectors.copy_(vectors.flip(2))

    def seed(self, patches: Tensor) -> None:
        """Starts each component from the patches nearest, up to their sign, to one random patch.

        These patches are few. So the scaled covariance of all patches is added, with the weight of ``size`` patches.
        """
        (size, count), components = patches.shape, len(self.weights)
        drawn = patches[:, torch.randint(count, (components,), device=patches.device)]
        nearest = (0.5 * drawn.square().sum(0)[:, None] - (drawn.T @ patches).abs()).argmin(0)
        members = nn.functional.one_hot(nearest, components).to(patches).T
        number = members.sum(1)
        sums = second_moments(patches, members)
        energy = trace(sums) / number.clamp(min=1)
        whole = patches @ patches.T
        whole = whole / whole.trace().clamp(min=TINY)
        scaled = size * energy[:, None, None] * whole
        self.set_components((number + 1) / (count + components), (sums + scaled) / (number + size)[:, None, None])

    def learn(self, patches: Tensor) -> Tensor:
        """One step of stepwise EM; returns the mean negative log density of the patches before it."""
        self.steps += 1
        loss = self.update(patches, float(self.steps + HEAD_START) ** -RATE_EXPONENT)
        self.revive(patches)
        return loss

    def revive(self, patches: Tensor) -> None:
        """Restarts dead components, to which hardly any patch belongs.

        For each, a patch is drawn with a probability proportional to its norm. The patch's likeliest component shares
        its weight with the dead one, whose covariance becomes the mean of this component's and the patch's own.
        """
        dead = self.weights < DEAD / len(self.weights)
        if not dead.any():
            return
        drawn = patches[:, torch.multinomial(patches.norm(dim=0) + TINY, int(dead.sum()), replacement=True)]
        alive = self.gaussians(FLOOR)
        donors = replace(alive, offset=alive.offset.masked_fill(dead[:, None], -torch.inf)).likeliest(drawn)
        weights, covariances = self.weights.masked_fill(dead, 0), self.covariances
        weights = weights / (1 + donors.bincount(minlength=len(weights)))
        weights[dead] = weights[donors]
        covariances[dead] = 0.5 * (covariances[donors] + drawn.T[:, :, None] * drawn.T[:, None])
        self.set_components(weights / weights.sum(), covariances)

    def update(self, patches: Tensor, rate: float) -> Tensor:
        """One step of EM: new statistics are ``rate`` parts of these patches and 1 − ``rate`` parts of the old ones."""
        log_densities = self.gaussians(FLOOR, flat=0).log_densities(patches)
        members = log_densities.softmax(0)
        kept = (1 - rate) * self.weights
        weights = kept + rate * members.mean(1)
        sums = kept[:, None, None] * self.covariances + rate / patches.shape[1] * second_moments(patches, members)
        self.set_components(weights, sums / weights.clamp(min=TINY)[:, None, None])
        return -log_densities.logsumexp(0).mean()

    def gaussians(self, variance: float | Tensor, flat: float = FLAT) -> Gaussians:
        """The components plus white noise of that variance; with ``flat`` = 0 their densities are exact."""
        size = self.values.shape[1]
        rise = self.values - self.values[:, -1:]
        ranks = (rise > flat * variance).sum(1)
        leads = torch.arange(size, device=ranks.device) < ranks[:, None]
        tail = (self.values * ~leads).sum(1) / (size - ranks)
        values = torch.where(leads, self.values, tail[:, None]) + variance
        tail = tail[:, None] + variance
        forms = (0.5 * (1 / tail - 1 / values)).sqrt()[:, None] * self.vectors
        log_weights = self.weights.clamp(min=TINY).log()
        return Gaussians(
            offset=(log_weights - 0.5 * (2 * math.pi * values).log().sum(1))[:, None],
            tail=0.5 / tail,
            forms=forms.mT[leads],
            ranks=ranks.tolist(),
        )

    def restore(self, patches: Tensor, variance: float | Tensor) -> Tensor:
        """The patches, denoised, for white noise of that variance."""
        likeliest = self.gaussians(variance).likeliest(patches)
        order = likeliest.argsort()
        rows = patches.T[order]
        found, counts = likeliest.unique(return_counts=True)
        values, vectors = self.values[found], self.vectors[found]
        filters = (vectors * (values / (values + variance))[:, None]) @ vectors.mT
        restored = [part @ wiener for part, wiener in zip(rows.split(counts.tolist()), filters, strict=True)]
        return torch.empty_like(rows).index_copy_(0, order, torch.cat(restored)).T


@dataclass(frozen=True)
class Gaussians:
    """The components plus white noise, ready for densities: ``forms`` are √(½/(t + σ²) − ½/(λ_i + σ²)) u_i."""

    offset: Tensor  # log π_k − ½ log |2π(Σ_k + σ²I)|, (K, 1)
    tail: Tensor  # ½/(t + σ²), (K, 1)
    forms: Tensor  # of all components, one after the other, (Σ_k rank_k, size)
    ranks: list[int]

    def log_densities(self, patches: Tensor) -> Tensor:
        """log π_k N(y; 0, Σ_k + σ²I), (K, N)."""
        return torch.cat([self.of_chunk(chunk) for chunk in chunks(patches)], 1)

    def likeliest(self, patches: Tensor) -> Tensor:
        """The likeliest component of each patch, (N,)."""
        return torch.cat([self.of_chunk(chunk).argmax(0) for chunk in chunks(patches)])

    def of_chunk(self, patches: Tensor) -> Tensor:
        parts = (self.forms @ patches).square_().split(self.ranks)
        leads = torch.stack([part.sum(0) for part in parts])
        return leads.sub_(self.tail * patches.square().sum(0)).add_(self.offset)


def chunks(patches: Tensor) -> tuple[Tensor, ...]:
    """The patches in parts that suit the device."""
    return patches.split(CHUNK.count(patches), 1)


def second_moments(patches: Tensor, members: Tensor) -> Tensor:
    """Σ_n r_kn x_n x_nᵀ for weights r (K, N): (K, size, size)."""
    size = len(patches)
    moments = patches.new_zeros(len(members), size * size)
    for chunk, part in zip(chunks(patches), chunks(members), strict=True):
        moments.addmm_(part, (chunk[:, None] * chunk).flatten(0, 1).T)
    return moments.unflatten(1, (size, size))


def trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)
