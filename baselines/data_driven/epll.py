"""min_x ½N‖Ax − y‖²/σ² − Σ_i log p(P_i x),   p a Gaussian mixture of centred patches P_i x of N = 8x8 pixels

The expected patch log likelihood: every overlapping patch should be likely under a mixture learned from the training
images (`baselines.patches.patch_mixture`). Half-quadratic splitting gives each patch a copy z_i ≈ P_i x. For each β_k
of a rising sequence, it first restores z_i by the patch's likeliest component in white noise of variance 1/β_k, with
the mean kept, then finds x from y and the average of the overlapping z_i. x_hat is the last average: the last x would
hold 1/33 of y.

For known white noise β_k = 1, 4, 8, 16, 32 times σ⁻², as in the paper. Elsewhere the noise 1/√β_k falls geometrically,
as for other denoisers (`baselines.solvers.plug_and_play`). All is in units of the image's root mean square.

D. Zoran, Y. Weiss, From learning models of natural image patches to whole image restoration, ICCV 2011.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import fold, unfold

from baselines.networks.normalisation import rms
from baselines.patches.patch_mixture import PatchMixture
from baselines.patches.patches import cover, less_mean
from baselines.solvers.trained_denoiser import TrainedDenoiser
from bench.contract.task import Track

SIDE = 8  # of a patch, as in the paper
BETA = (1.0, 4.0, 8.0, 16.0, 32.0)  # β σ², as in the paper
PATCHES = 4096  # of a training batch, set by hand; all patches of the first batch seed the mixture


class EPLL(TrainedDenoiser):
    """Learns by EM; a few hundred steps are enough."""

    def __init__(self, components: int = 200, sigma: float = 0.03, start: float = 0.3) -> None:
        super().__init__(sigma, start)
        self.mixture = PatchMixture(components, SIDE**2)

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its patches are 2D: 200 covariances of 8x8x8 patches are too much to learn"

    def learn(self, x: Tensor) -> Tensor:
        """One step of EM on some patches; returns their mean negative log density, ()."""
        patches = torch.cat([less_mean(unfold(image, SIDE)[0], axis=0)[0] for image in x[:, None]], 1)
        if self.mixture.steps == 0:
            self.mixture.seed(patches)
        return self.mixture.learn(patches[:, torch.randperm(patches.shape[1], device=x.device)[:PATCHES]])

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        scale = rms(x)
        y, sigma = x / scale, sigma / scale.flatten()
        x = y
        for beta in BETA:
            z = self.denoise_once(x, sigma / beta**0.5)
            x = (y + beta * z) / (1 + beta)
        return z * scale

    def denoise_once(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The patches of images (B, 1, H, W) of rms one, restored, and averaged where they overlap."""
        restored = torch.cat(
            [self.restore(image, variance) for image, variance in zip(x[:, None], sigma.square(), strict=True)]
        )
        return restored / cover(x[0, 0], SIDE)

    def restore(self, image: Tensor, variance: Tensor) -> Tensor:
        """The sum of the restored patches of one image (1, 1, H, W)."""
        patches, mean = less_mean(unfold(image, SIDE)[0], axis=0)
        return fold((self.mixture.restore(patches, variance) + mean)[None], image.shape[2:], SIDE)
