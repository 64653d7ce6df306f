"""min_{v,W} ‖v − Wy‖² + λ²‖v‖_0,   WᵀW = 1;   x_hat = Wᵀv

A data-driven tight frame: filters of 7 x 7 pixels, learned from the noisy image itself, in which it has few
coefficients. Hard thresholding gives v, a singular value decomposition of 49 x 49 numbers W
(`baselines.transforms.tight_frame`); it starts from the cosine transform. Other physics joins the alternation by its
data term (`baselines.patches.frame_learning`). Where the paper has 8 x 8 or 16 x 16 pixels, an odd number keeps the
frame tight at the edges of an image.

J.-F. Cai, H. Ji, Z. Shen, G.-B. Ye, Data-driven tight frame construction and image denoising, ACHA 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from baselines.patches.frame_learning import FrameLearning


class DDTF(FrameLearning):
    """All filters are learned, the low-pass one too."""

    side: ClassVar[Mapping[int, int]] = {2: 7, 3: 3}
    levels: ClassVar[int] = 0
