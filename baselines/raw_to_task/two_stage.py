"""x_hat = R(y),   f = N(x_hat):   any reconstruction R, then the analysis network N that is trained on its images

R is another method, asked for by its name: ``-m two_stage:reconstruction=tv``. It is tuned or trained first, for the
quality of its images, and knows nothing of the finding; then N is trained on the images of R, which stays as it is.

The task-blind baseline of J. Adler, S. Lunz, O. Verdier, C.-B. Schönlieb, O. Öktem, Task adapted reconstruction for
inverse problems, Inverse Problems 38, 2022.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Self

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.analysis import Analysis, Reader
from bench.contract.determinism import exact
from bench.contract.method import Estimate, Method

KEPT = 2**28  # bytes of images of training measurements that are kept, for when a measurement comes again


class TwoStage(Reader):
    """``reconstruction``: a method that returns images."""

    returns: ClassVar[tuple[str, ...]] = ("image", "finding")
    inner: ClassVar[str] = "reconstruction"

    def __init__(
        self, reconstruction: Method | str = "direct", channels: int = 1, classes: int = 1, dims: int = 2
    ) -> None:
        super().__init__()
        assert isinstance(reconstruction, nn.Module)  # the referee resolves the name
        self.reconstruction = reconstruction.requires_grad_(False).eval()
        self.analysis = Analysis(channels, classes, dims)
        self.seen: dict[int, Tensor] = {}
        self.room = KEPT

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.reconstruction.eval()
        return self

    def forward(self, y: Tensor, physics: LinearPhysics) -> Estimate:
        x_hat = self.known(y, physics) if self.training else self.image(y, physics)
        return Estimate(image=x_hat, finding=self.analysis(x_hat))

    @torch.no_grad()
    def image(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        with exact():
            return self.reconstruction(y, physics).detach()

    def known(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        """The images of training measurements, kept for when these come again. A batch with a new one is made anew."""
        names = fingerprints(y)
        if any(name not in self.seen for name in names):
            images = self.image(y, physics)
            for name, image in zip(names, images, strict=True):
                if name not in self.seen and image.nbytes <= self.room:
                    self.seen[name] = image.clone()
                    self.room -= image.nbytes
            return images
        return torch.stack([self.seen[name] for name in names])


def fingerprints(y: Tensor) -> list[int]:
    """A number for each measurement of y (B, ...), by its bits. The process waits once for its GPU.

    It is the sum of the words of 32 bits times random numbers w, modulo 2⁶⁴. Two measurements that differ by d share it
    where Σ w d = 0, which has a probability of 2⁻³³ at most.
    """
    numbers = torch.view_as_real(y) if y.is_complex() else y
    words = numbers.contiguous().flatten(1).view(torch.int32)
    return (words * weights(words.shape[1], y.device)).sum(1).tolist()


@lru_cache(maxsize=4)
def weights(count: int, device: torch.device) -> Tensor:
    """Random integers of 64 bits, (count,), the same in each process."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-(2**63), 2**63 - 1, (count,), generator=generator).to(device)
