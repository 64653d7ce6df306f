"""Dictionaries learned from training images help on other images."""

import pytest
import torch
from deepinv.physics import Denoising, GaussianNoise
from examples import noisy_photograph, psnr

from baselines.data_driven.ksvd_trained import KSVDTrained
from baselines.data_driven.mod_trained import MODTrained
from baselines.patches.dictionary import cosines
from baselines.patches.dictionary_denoiser import LAMBDA, denoise

SIGMA = 0.1


PHYSICS = Denoising(GaussianNoise(SIGMA))


def by_cosines(y):
    return denoise(y, torch.tensor([SIGMA]), [cosines(8, 2, 256)], LAMBDA)


@pytest.mark.parametrize("method", [KSVDTrained, MODTrained])
def test_what_is_learned_from_a_photograph_beats_cosines_on_another_part(method):
    torch.manual_seed(0)
    x, y = noisy_photograph(slice(100, 300), slice(0, 200), SIGMA)
    learner = method()
    learner.log = lambda *args, **kwargs: None
    losses = [float(learner.training_step((x, y, PHYSICS), step)) for step in range(15)]
    assert losses[-1] < 0.9 * losses[0]
    x, y = noisy_photograph(slice(100, 196), slice(300, 396), SIGMA)
    found = learner(y, PHYSICS)
    assert psnr(found, x) > psnr(by_cosines(y), x) + 0.05

    restored = method()
    restored.load_state_dict(learner.state_dict())
    assert torch.equal(restored(y, PHYSICS), found)
