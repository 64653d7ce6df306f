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
    ("method", "physics"),
    [(TV, blur(12)), (TV, GAUSSIAN), (TV, LAPLACE), (TV, POISSON), (TGV, GAUSSIAN), (TGV, POISSON)],
)
def test_admm_and_pdhg_reach_one_minimum(method, physics):
    y = physics.A(image(2, 1, 12, 12))
    lowest = final(method(0.05, "pdhg", 2000), y, physics)
    assert final(method(0.05, "admm", 1000), y, physics) == pytest.approx(lowest, rel=2e-4)
