"""Steps down a gradient, where it has a Lipschitz constant and where it has none."""

import pytest
import torch
from deepinv.physics import GaussianNoise, PoissonNoise
from examples import blur, image

from baselines.handcrafted.perona_malik import PeronaMalik
from baselines.handcrafted.shock_filter import ShockFilter
from baselines.handcrafted.wavelet import Wavelet
from bench.errors import BenchError


@pytest.mark.parametrize("method", [PeronaMalik, ShockFilter])
def test_steps_down_a_gradient_without_bound_are_those_of_least_squares(method):
    physics, gaussian = blur(), blur()
    physics.noise_model, gaussian.noise_model = PoissonNoise(0.1), GaussianNoise(0.1)
    y = physics.A(image(1, 1, 16, 16))
    assert torch.equal(method()(y, physics), method()(y, gaussian))
    with pytest.raises(BenchError, match="Lipschitz"):
        Wavelet(algorithm="fista")(y, physics)
