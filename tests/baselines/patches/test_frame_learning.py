"""The joint objective of an image and its frame, its curve and its atoms."""

from itertools import pairwise

import pytest
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise
from examples import noisy_photograph

from baselines.data_driven.adaptive_frame import AdaptiveFrame
from baselines.data_driven.ddtf import DDTF
from baselines.networks.normalisation import rms
from baselines.patches.frame_learning import Learner
from bench.contract.toy_operators import toys

METHODS = [DDTF, AdaptiveFrame]
SIGMA = 0.1


def blur(*shape):
    return BlurFFT((1, *shape), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)


@pytest.mark.parametrize("method", METHODS)
def test_the_joint_objective_never_rises_at_one_sigma(method):
    """½‖Ax − y‖²/‖A‖² + ½(‖v − Wx‖² + λ²‖v‖_0) of x, v and W, after each update of W."""
    physics, sigma = blur(20, 24), 0.1
    physics.operator_norm, physics.noise_model = 1.0, GaussianNoise(0.01)  # with noise there is no momentum
    y = physics.A(torch.rand(1, 1, 20, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    scale, learner, joint = rms(physics.A_adjoint(y)), Learner(method.side, method.levels), []

    def watched(x, sigma_k):
        z = learner.step(x, sigma_k)
        joint.append(0.5 * float((physics.A(x) - y / scale).square().sum() + learner.objectives[-1]))
        return z

    method(sigma, start=sigma, iterations=15).solve(y, physics, learner.denoise, watched)
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(joint))
    assert joint[-1] < 0.95 * joint[0]


@pytest.mark.parametrize("method", METHODS)
def test_the_curve_of_known_noise_falls_and_the_atoms_are_orthonormal(method):
    _, y = noisy_photograph(slice(100, 148), slice(180, 228), SIGMA)
    physics = Denoising(GaussianNoise(SIGMA))
    curve = method().convergence(y, physics)
    assert all(after <= before * (1 + 1e-5) for before, after in pairwise(curve))
    assert curve[-1] < 0.99 * curve[0]
    atoms = method().atoms(y, physics)
    assert len(atoms) == max(method.levels, 1)
    side = method.side[2]
    for filters in atoms.values():
        assert filters.shape == (side**2, side, side)
        assert torch.allclose(filters.flatten(1) @ filters.flatten(1).T, torch.eye(side**2), atol=1e-5)


def test_the_atoms_of_a_volume_are_middle_slices():
    volume = next(toy for toy in toys() if toy.track.dims == 3)
    physics = volume.physics(volume.params)
    learner = DDTF(iterations=3).learner_of(volume.y, physics)
    atoms = DDTF(iterations=3).atoms(volume.y, physics)["level 1"]
    assert torch.equal(atoms, learner.frames[0].filters[0].reshape(27, 3, 3, 3)[:, 1])


@pytest.mark.parametrize("method", METHODS)
def test_equivariant_to_the_unit(method):
    y, physics = torch.rand(1, 1, 16, 16, dtype=torch.float64), blur(16, 16)
    physics.operator_norm = 1.0
    method = method(iterations=5)
    assert torch.allclose(method(1e-3 * y, physics), 1e-3 * method(y, physics), atol=1e-8)


@pytest.mark.parametrize("shape", [(1, 6), (5, 4), (7, 30), (3, 4, 5)])
@pytest.mark.parametrize("method", METHODS)
def test_a_flat_image_of_any_size_stays_one(method, shape):
    y = torch.full((2, 1, *shape), 3.0, dtype=torch.float64)
    assert torch.allclose(method()(y, Denoising(GaussianNoise(0.1))), y)
