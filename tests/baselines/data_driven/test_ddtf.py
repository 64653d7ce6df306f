"""Frames learned from a measurement, or from training images: against their fixed start, and their joint objective."""

from itertools import pairwise

import pytest
import skimage.data
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise

from baselines.data_driven.adaptive_frame import AdaptiveFrame
from baselines.data_driven.ddtf import DDTF
from baselines.data_driven.ddtf_global import DDTFGlobal
from baselines.handcrafted.wavelet_frame import WaveletFrame
from baselines.networks.normalisation import rms
from baselines.patches.frame_learning import RESTORING, Learner
from baselines.transforms.tight_frame import TightFrame, cosines
from bench.contract.toy_operators import toys

METHODS = [DDTF, AdaptiveFrame]
SIGMA = 0.1


def textured(rows, columns, photograph=skimage.data.camera):
    """A part of a photograph, and it with noise."""
    x = torch.from_numpy(photograph()[None, None, rows, columns] / 255).float()
    return x, x + SIGMA * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def psnr(x_hat, x):
    return float(-10 * (x_hat - x).square().mean().log10())


def blur(*shape):
    return BlurFFT((1, *shape), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_learned_beats_the_fixed_start_and_fixed_framelets(method):
    x, y = textured(slice(100, 228), slice(180, 308))
    start = TightFrame(cosines(method.side[2], 2).float(), method.side[2], method.levels)
    fixed = max(psnr(start.restore(y[0, 0], factor * SIGMA), x[0, 0]) for factor in (2.6, RESTORING, 3.0))
    unlearned = method(learn=False)(y, Denoising(GaussianNoise(SIGMA)))
    assert torch.equal(unlearned[0, 0], start.restore(y[0, 0], RESTORING * float(torch.tensor(SIGMA))))
    framelets = max(psnr(WaveletFrame(lam)(y, Denoising(GaussianNoise(SIGMA))), x) for lam in (0.1, 0.12, 0.15))
    learned = psnr(method()(y, Denoising(GaussianNoise(SIGMA))), x)
    assert learned > fixed + 0.1
    assert learned > framelets + 0.5


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
    _, y = textured(slice(100, 148), slice(180, 228))
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


def test_learning_from_images_helps_on_another_part_of_a_photograph():
    x, y = textured(slice(0, 200), slice(0, 200), skimage.data.grass)
    x_test, y_test = textured(slice(300, 428), slice(300, 428), skimage.data.grass)
    method, physics = DDTFGlobal(dims=2), Denoising(GaussianNoise(SIGMA))
    before = psnr(method(y_test, physics), x_test)
    losses = [float(method.training_step((x, y, physics), step)) for step in range(40)]
    assert all(b <= a * (1 + 1e-5) for a, b in pairwise(losses))
    assert psnr(method(y_test, physics), x_test) > before + 0.1
    frame = TightFrame(method.filters, method.side)
    assert torch.allclose(frame.restore(y[0, 0], 0.0), y[0, 0], atol=1e-5)
