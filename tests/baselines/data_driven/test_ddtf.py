"""Frames learned from a measurement against their fixed start and fixed framelets."""

import pytest
import torch
from deepinv.physics import Denoising, GaussianNoise
from examples import noisy_photograph, psnr

from baselines.data_driven.adaptive_frame import AdaptiveFrame
from baselines.data_driven.ddtf import DDTF
from baselines.handcrafted.wavelet_frame import WaveletFrame
from baselines.patches.frame_learning import RESTORING
from baselines.transforms.tight_frame import TightFrame, cosines

METHODS = [DDTF, AdaptiveFrame]
SIGMA = 0.1


@pytest.mark.parametrize("method", METHODS)
def test_what_is_learned_beats_the_fixed_start_and_fixed_framelets(method):
    x, y = noisy_photograph(slice(100, 228), slice(180, 308), SIGMA)
    start = TightFrame(cosines(method.side[2], 2).float(), method.side[2], method.levels)
    fixed = max(psnr(start.restore(y[0, 0], factor * SIGMA), x[0, 0]) for factor in (2.6, RESTORING, 3.0))
    unlearned = method(learn=False)(y, Denoising(GaussianNoise(SIGMA)))
    assert torch.equal(unlearned[0, 0], start.restore(y[0, 0], RESTORING * float(torch.tensor(SIGMA))))
    framelets = max(psnr(WaveletFrame(lam)(y, Denoising(GaussianNoise(SIGMA))), x) for lam in (0.1, 0.12, 0.15))
    learned = psnr(method()(y, Denoising(GaussianNoise(SIGMA))), x)
    assert learned > fixed + 0.1
    assert learned > framelets + 0.5
