"""min_{v,W} ‖v − Wy‖² + λ²‖v‖_0,   WᵀW = 1;   x_hat = Wᵀv

A data-driven tight frame: the noisy image has few coefficients in a frame that is learned from it. Hard thresholding
updates v, a singular value decomposition of 49 x 49 numbers updates W (`baselines.transforms.tight_frame`), which
starts as the cosine transform. For other operators the data term joins the alternation
(`baselines.patches.frame_learning`). Filters have 7 x 7 pixels, where the paper has 8 x 8 or 16 x 16: an odd number
keeps the frame tight at the edges of an image.

J.-F. Cai, H. Ji, Z. Shen, G.-B. Ye, Data-driven tight frame construction and image denoising, ACHA 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from baselines.patches.frame_learning import FrameLearning


class DDTF(FrameLearning):
    """All filters are learned, also the low-pass filter."""

    side: ClassVar[Mapping[int, int]] = {2: 7, 3: 3}
    levels: ClassVar[int] = 0
