"""min_{v,W} Σ_l ‖v_l − H_l L_{l−1} ⋯ L_1 y‖² + λ_l²‖v_l‖_0,   L_lᵀL_l + H_lᵀH_l = 1;   x_hat = Wᵀv

A multiscale frame whose filters differ from level to level. High-pass filters H_l are learned from the noisy image
itself at the first level, and from the low-pass output of L_1 at the next. So a filter of 5 x 5 pixels covers more
pixels of the image at each level.

Tai and E adapt a filter bank to the signal at each scale, and apply the next one to the low-pass output, with perfect
reconstruction. They allow decimated filters and biorthogonal frames. Here the frame is tight and undecimated, L_l is a
fixed moving average, and H_l is an orthogonal matrix of filters, learned with hard thresholds as in data-driven tight
frames (`baselines.transforms.tight_frame`).

C. Tai, W. E, Multiscale adaptive representation of signals: I. The basic framework, JMLR 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from baselines.patches.frame_learning import FrameLearning


class AdaptiveFrame(FrameLearning):
    """Two levels, which span 25 pixels; a third level changes nothing on photographs."""

    side: ClassVar[Mapping[int, int]] = {2: 5, 3: 3}
    levels: ClassVar[int] = 2
