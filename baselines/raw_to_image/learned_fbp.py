"""x_hat = D(w ⊙ F⁻¹(k ⊙ F y)),   D the operator's direct reconstruction (filtered backprojection)

Precision learning: the known operators, the ramp filter and the backprojection, stay exact, and the network learns the
rest, a factor k on the frequencies of each view and weights w of the rays. The weights can make up for views that are
missing, as in a scan of limited angle. k = w = 1 before training: the untrained network is filtered backprojection.

k is linear between 33 frequencies and w between 17x17 points of the measurement, so that one network serves any
number of views and bins; the paper has a number for each. The paper's last step, which clips negative values, is left
out, so that x_hat is linear in y and, before training, D(y) to the bit.

T. Würfl et al., Deep learning computed tomography: learning projection-domain weights from image domain in limited
angle problems, IEEE TMI 2018.
A. Maier et al., Learning with known operators reduces maximum error bounds, Nature Machine Intelligence 2019.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn
from torch.nn.functional import interpolate

from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.contract.task import Track

FREQUENCIES, POINTS = 33, 17


class LearnedFBP(LearnedMethod):
    """For tomography with measurements (B, C, views, bins)."""

    learning_rate: ClassVar[float] = 1e-2

    def __init__(self) -> None:
        super().__init__()
        self.log_filter = nn.Parameter(torch.zeros(FREQUENCIES))  # log k: k > 0
        self.log_weights = nn.Parameter(torch.zeros(POINTS, POINTS))  # log w

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.modality == "ct" else f"made for ct, not for {track.modality}"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        views, bins = y.shape[-2:]
        padded = 2 * bins
        k = interpolate(self.log_filter[None, None], bins + 1, mode="linear", align_corners=True)[0, 0].exp()
        w = interpolate(self.log_weights[None, None], (views, bins), mode="bilinear", align_corners=True)[0, 0].exp()
        change = torch.fft.irfft((k - 1) * torch.fft.rfft(y, n=padded), n=padded)[..., :bins]
        return direct(w * (y + change), physics)
