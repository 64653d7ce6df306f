"""min_{x,v,W} ½‖Ax − y‖²/‖A‖² + ν/2 (‖v − Wx‖² + λ²‖v‖_0),   WᵀW = 1:   tight frames learned with the image x

The method updates v, W (`baselines.transforms.tight_frame`) and x in turn. Since W is tight, ‖v − Wx‖² is ‖x − Wᵀv‖² up
to a term without x. So the step in x is the step of plug and play (`baselines.solvers.plug_and_play`), with Wᵀv as
the denoised image. λ is proportional to σ_k, so νλ² is the same at every step: at constant σ and without momentum the
objective never rises. The filters are kept from step to step. For an image in known white noise they are learned first,
at a higher threshold than the threshold that restores the image.

J.-F. Cai, H. Ji, Z. Shen, G.-B. Ye, Data-driven tight frame construction and image denoising, ACHA 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.patches.patches import pictures
from baselines.solvers.plug_and_play import Denoiser, PlugAndPlay
from baselines.transforms.tight_frame import TightFrame, cosines

ALTERNATIONS = 30  # updates of v and W in known noise
# Thresholds over the noise, best in PSNR on three validation images of BSD400; at σ = 25/255 other values gain at most
# 0.04 dB on dead leaves and on photographs of scikit-image.
LEARNING, RESTORING = 3.4, 2.8


class FrameLearning(PlugAndPlay):
    """A `TightFrame` with windows of ``side`` pixels, by the dimensions of an image, and ``levels``.

    Without ``learn`` the frame stays the cosine transform from which it starts.
    """

    side: ClassVar[Mapping[int, int]]
    levels: ClassVar[int]

    def __init__(
        self, sigma: float = 0.03, start: float = 0.3, iterations: int | None = None, learn: bool = True
    ) -> None:
        super().__init__(sigma, start, iterations)
        self.learns = learn

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.learner().denoise(x, sigma)

    def begin(self) -> Denoiser:
        return self.learner().step

    @torch.no_grad()
    def convergence(self, y: Tensor, physics: LinearPhysics) -> list[float]:
        """‖v − Wx‖² + λ²‖v‖_0 after each update of the frame; in a splitting λ and x change between updates."""
        return [float(objective) for objective in self.learner_of(y, physics).objectives]

    @torch.no_grad()
    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """The filters of the first channel of the first image, (N, h, w); of 3D filters the middle slices."""
        frame = self.learner_of(y, physics).frames[0]
        return {f"level {level}": pictures(D, frame.side) for level, D in enumerate(frame.filters, 1)}

    def learner(self) -> Learner:
        return Learner(self.side, self.levels, self.learns)

    def learner_of(self, y: Tensor, physics: LinearPhysics) -> Learner:
        """The learner after it has reconstructed ``y``."""
        learner = self.learner()
        self.solve(y, physics, learner.denoise, learner.step)
        return learner


class Learner:
    """Denoises images (B, 1, ...) by a frame each, which it keeps, and learns if ``learns``."""

    def __init__(self, side: Mapping[int, int], levels: int, learns: bool = True) -> None:
        self.side = side
        self.levels = levels
        self.learns = learns
        self.frames: list[TightFrame] = []
        self.objectives: list[Tensor] = []  # mean over the images, after each update

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Images in noise of known standard deviation (B,)."""
        for _ in range(ALTERNATIONS):
            self.learn(x, LEARNING * sigma)
        return self.restore(x, RESTORING * sigma)

    def step(self, x: Tensor, sigma: Tensor) -> Tensor:
        """One step of a splitting: the frames learn once, then restore."""
        self.learn(x, RESTORING * sigma)
        return self.restore(x, RESTORING * sigma)

    def learn(self, x: Tensor, thresholds: Tensor) -> None:
        if not self.frames:
            dims = x.ndim - 2
            start = cosines(self.side[dims], dims).to(x)
            self.frames = [TightFrame(start, self.side[dims], self.levels) for _ in x]
        if not self.learns:
            return
        parts = zip(self.frames, x[:, 0], thresholds.tolist(), strict=True)
        self.objectives.append(torch.stack([frame.learn(image, threshold) for frame, image, threshold in parts]).mean())

    def restore(self, x: Tensor, thresholds: Tensor) -> Tensor:
        parts = zip(self.frames, x[:, 0], thresholds.tolist(), strict=True)
        return torch.stack([frame.restore(image, threshold) for frame, image, threshold in parts])[:, None]
