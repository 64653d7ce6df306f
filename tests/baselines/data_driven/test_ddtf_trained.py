"""A frame learned from training images helps on other images."""

from itertools import pairwise

import skimage.data
import torch
from deepinv.physics import Denoising, GaussianNoise
from examples import noisy_photograph, psnr

from baselines.data_driven.ddtf_trained import DDTFTrained
from baselines.transforms.tight_frame import TightFrame

SIGMA = 0.1


def test_learning_from_images_helps_on_another_part_of_a_photograph():
    x, y = noisy_photograph(slice(0, 200), slice(0, 200), SIGMA, skimage.data.grass)
    x_test, y_test = noisy_photograph(slice(300, 428), slice(300, 428), SIGMA, skimage.data.grass)
    method, physics = DDTFTrained(dims=2), Denoising(GaussianNoise(SIGMA))
    before = psnr(method(y_test, physics), x_test)
    losses = [float(method.training_step((x, y, physics), step)) for step in range(40)]
    assert all(b <= a * (1 + 1e-5) for a, b in pairwise(losses))
    assert psnr(method(y_test, physics), x_test) > before + 0.1
    frame = TightFrame(method.filters, method.side)
    assert torch.allclose(frame.restore(y[0, 0], 0.0), y[0, 0], atol=1e-5)
