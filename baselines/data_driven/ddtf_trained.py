"""min_W Σ_x min_v ‖v − Wx‖² + λ²‖v‖_0,   WᵀW = 1:   a tight frame learned from the training images x

One frame for all images, where `baselines.data_driven.ddtf` learns a frame from each measurement. A training step
thresholds the coefficients of a batch at a fixed λ, adds Σ v pᵀ over its windows p to a running mean, and takes D from
this mean (`baselines.transforms.tight_frame`). The denoiser is Wᵀv with λ proportional to the noise. Other operators
use it by half-quadratic splitting (`baselines.solvers.plug_and_play`). All is in units of the image's root mean square.

J.-F. Cai, H. Ji, Z. Shen, G.-B. Ye, Data-driven tight frame construction and image denoising, ACHA 2014.
J. Mairal, F. Bach, J. Ponce, G. Sapiro, Online learning for matrix factorization and sparse coding, JMLR 2010 (running
statistics).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.data_driven.ddtf import DDTF
from baselines.patches.frame_learning import RESTORING
from baselines.patches.patches import pictures
from baselines.solvers.trained_denoiser import TrainedDenoiser
from baselines.transforms.tight_frame import INERTIA, TightFrame, cosines, procrustes, thresholded_moment

THRESHOLD = 0.7  # λ√s in training, which suits noise of a quarter of the rms; 0.6 to 1 give nearly the same PSNR
RATE = 0.2  # of the running mean, which covers about five batches; set by hand


class DDTFTrained(TrainedDenoiser):
    """A few hundred steps suffice."""

    filters: Tensor  # D, (s, s)
    moment: Tensor  # mean of Σ v pᵀ over a pixel's windows, (s, s)
    steps: Tensor  # of learning, ()

    def __init__(self, dims: int, sigma: float = 0.03, start: float = 0.3, iterations: int | None = None) -> None:
        super().__init__(sigma, start, iterations)
        self.side = DDTF.side[dims]
        self.register_buffer("filters", cosines(self.side, dims).float())
        self.register_buffer("moment", torch.zeros_like(self.filters))
        self.register_buffer("steps", torch.tensor(0))

    def learn(self, x: Tensor) -> Tensor:
        """One step on a batch; returns the objective a pixel after it, ()."""
        parts = [thresholded_moment(self.filters, image, self.side, 1, THRESHOLD) for image in x[:, 0]]
        moment, norms = (sum(part, start=torch.zeros_like(part[0])) / x.numel() for part in zip(*parts, strict=True))
        self.steps += 1
        self.moment.lerp_(moment, max(RATE, 1 / float(self.steps)))
        self.filters.copy_(procrustes(self.moment + INERTIA * THRESHOLD**2 * self.filters))
        return (norms - 2 * (self.filters * moment).sum()) / len(self.filters)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        frame = TightFrame(self.filters, self.side)
        parts = zip(x[:, 0], (RESTORING * sigma).tolist(), strict=True)
        return torch.stack([frame.restore(image, threshold) for image, threshold in parts])[:, None]

    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """The filters, (N, h, w); of 3D filters the middle slices."""
        return {"filters": pictures(self.filters, self.side)}
