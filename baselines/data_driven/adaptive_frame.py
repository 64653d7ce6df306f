"""min_{v,W} Σ_l ‖v_l − H_l L_{l−1} ⋯ L_1 y‖² + λ_l²‖v_l‖_0,   L_lᵀL_l + H_lᵀH_l = 1;   x_hat = Wᵀv

A multiscale frame with filters of its own at each level: high-pass filters H_l are learned from the image, and again
from what the low-pass filter L_l leaves of it. Coarse levels see further than the small filters, here of 5 x 5 pixels.

From Tai and E: a filter bank for each scale, adapted to the signal, and applied again to the low-pass output, under the
condition of perfect reconstruction. Otherwise here: the frame is tight and undecimated, L_l is a fixed moving average,
and H_l is an orthogonal matrix of filters, learned as in data-driven tight frames (`baselines.transforms.tight_frame`),
from the noisy image itself, with its hard thresholds; theirs are more general filters, decimated too, and biorthogonal
frames.

C. Tai, W. E, Multiscale adaptive representation of signals: I. The basic framework, JMLR 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from baselines.patches.frame_learning import FrameLearning


class AdaptiveFrame(FrameLearning):
    """Two levels, which span 25 pixels: a third one changes nothing on photographs."""

    side: ClassVar[Mapping[int, int]] = {2: 5, 3: 3}
    levels: ClassVar[int] = 2
