"""ADMM and the primal-dual iterations reach one minimum."""

import pytest
from deepinv.physics import Denoising, LaplaceNoise, PoissonNoise
from examples import blur, image

from baselines.handcrafted.tgv import TGV
from baselines.handcrafted.tv import TV


def final(method, y, physics):
    return method.convergence(y, physics)[-1]


GAUSSIAN, LAPLACE, POISSON = Denoising(), Denoising(LaplaceNoise(0.05)), Denoising(PoissonNoise(0.1))


@pytest.mark.parametrize(
    ("method", "physics", "iterations"),
    [
        (TV, blur(12), 1000),
        (TV, GAUSSIAN, 500),
        (TV, LAPLACE, 500),
        (TV, POISSON, 500),
        (TGV, GAUSSIAN, 500),
        (TGV, POISSON, 500),
    ],
)
def test_admm_and_pdhg_reach_one_minimum(method, physics, iterations):
    y = physics.A(image(2, 1, 12, 12))
    lowest = final(method(0.05, "pdhg", 2 * iterations), y, physics)
    assert final(method(0.05, "admm", iterations), y, physics) == pytest.approx(lowest, rel=2e-4)
