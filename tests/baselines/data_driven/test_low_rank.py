"""Log-det shrinkage against its own objective, the second pass in closed form, and photographs."""

import numpy as np
import pytest
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise
from scipy.optimize import minimize
from skimage.data import camera

from baselines.data_driven.low_rank import EPSILON, REMATCH, Alternation, LowRank, shrink, wiener
from baselines.handcrafted.bm3d import bm3d
from baselines.handcrafted.nlm import nlm
from baselines.patches.patch_groups import by_singular_values
from bench.contract.toy_operators import toys


def rand(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
def test_shrinkage_minimises_its_objective_among_all_values(C):
    epsilon = EPSILON * C**0.5
    s = np.linspace(0, 6 * C**0.5, 301)[:, None]
    x = np.linspace(0, 6 * C**0.5, 6001)
    objective = 0.5 * (s - x) ** 2 + C * np.log(x + epsilon)
    found = shrink(torch.from_numpy(s[:, 0]), torch.tensor(C, dtype=torch.float64)).numpy()
    at_found = 0.5 * (s[:, 0] - found) ** 2 + C * np.log(found + epsilon)
    assert (at_found <= objective.min(1) + 1e-12).all()
    assert np.allclose(found, x[objective.argmin(1)], atol=2e-3 * C**0.5)
    assert 0 < (found == 0).sum() < len(found)


def test_no_matrix_has_a_lower_objective():
    """Which is smooth but for the zeros: minimised by scipy from matrices of every rank."""
    Y, C = 1.5 * torch.randn(5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64), 1.0
    weight = torch.tensor(C, dtype=torch.float64)
    X = by_singular_values(Y[None], lambda s: shrink(s, weight))[0].numpy()

    def objective(flat):
        L = flat.reshape(Y.shape)
        return 0.5 * np.sum((Y.numpy() - L) ** 2) + C * np.log(np.linalg.svd(L)[1] + EPSILON).sum()

    U, s, Vh = np.linalg.svd(Y.numpy(), full_matrices=False)
    starts = [(U[:, :rank] * s[:rank]) @ Vh[:rank] for rank in range(5)]
    rng = np.random.default_rng(0)
    starts += [start + 0.3 * rng.standard_normal(start.shape) for start in starts]
    lowest = min(minimize(objective, start.ravel(), method="BFGS").fun for start in starts)
    assert objective(X.ravel()) <= lowest + 1e-9
    assert 0 < np.linalg.matrix_rank(X, tol=1e-6) < 4


def test_second_pass_is_the_linear_estimator_of_least_mean_square_error():
    Y, X = rand(3, 12, 6), rand(3, 12, 6, seed=1)
    covariance = X.numpy().swapaxes(1, 2) @ X.numpy() / 12
    expected = np.linalg.solve(covariance + 0.3 * np.eye(6), covariance @ Y.numpy().swapaxes(1, 2)).swapaxes(1, 2)
    assert np.allclose(wiener(Y, X, torch.tensor(0.3)).numpy(), expected)


def test_an_estimate_without_noise_is_the_image():
    """Whatever its groups: also those of three steps before."""
    denoise, sigma = Alternation(), torch.full((2,), 1e-7, dtype=torch.float64)
    for seed in range(REMATCH + 1):
        x = rand(2, 1, 16, 17, seed=seed)
        assert torch.allclose(denoise(x, sigma), x, atol=1e-4)


def test_groups_are_searched_again_after_a_few_steps():
    x, sigma = rand(1, 1, 16, 17), torch.tensor([0.2], dtype=torch.float64)
    denoise = Alternation()
    found = [denoise(image, sigma) for image in (x, *[x.flip(2)] * REMATCH)]
    assert all(torch.equal(other, found[1]) for other in found[1:-1])  # by the groups of x
    assert torch.equal(found[-1], Alternation()(x.flip(2), sigma))
    assert not torch.allclose(found[-1], found[1], atol=1e-3)


def test_it_denoises_as_well_as_bm3d():
    x = torch.from_numpy(camera()[108:172, 208:272] / 255).float()[None, None]
    y = x + 25 / 255 * torch.from_numpy(np.random.default_rng(0).standard_normal(x.shape)).float()
    sigma = torch.tensor([25 / 255])
    psnr, psnr_bm3d, psnr_nlm = (
        -10 * float((z - x).square().mean().log10())
        for z in (LowRank()(y, Denoising(GaussianNoise(25 / 255))), bm3d(y, sigma), nlm(y, sigma))
    )
    assert psnr > psnr_bm3d - 0.2
    assert psnr > psnr_nlm + 0.3


def test_noise_on_an_even_image_goes():
    y = 0.5 + 0.1 * torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    error = LowRank()(y, Denoising(GaussianNoise(0.1))) - 0.5
    assert float(error.square().mean().sqrt()) < 0.02


def test_equivariant_to_the_unit():
    y = rand(1, 1, 16, 16)
    blur = BlurFFT((1, 16, 16), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    method = LowRank(iterations=4)
    assert torch.allclose(method(1e-3 * y, blur), 1e-3 * method(y, blur), atol=1e-8)
    found, expected = method(1e-3 * y, Denoising(GaussianNoise(1e-4))), method(y, Denoising(GaussianNoise(0.1)))
    assert torch.allclose(found, 1e-3 * expected, atol=1e-8)


def test_its_atoms_are_an_orthonormal_basis_that_starts_with_what_a_group_is_made_of():
    """Of parallel edges that differ in height: one vector, which varies across them only."""
    x = torch.zeros(1, 1, 24, 24, dtype=torch.float64)
    x[..., 12:] = torch.arange(24.0)[:, None].double()
    atoms = LowRank().atoms(x, Denoising())["basis of a group"].flatten(1)
    assert torch.allclose(atoms @ atoms.T, torch.eye(49, dtype=torch.float64), atol=1e-9)
    first = atoms[0].unflatten(0, (7, 7))
    assert float(first.diff(dim=1).square().sum()) > 10 * float(first.diff(dim=0).square().sum())


def test_volumes_are_refused_with_a_reason():
    volume = next(toy.track for toy in toys() if toy.track.dims == 3)
    assert "2D" in LowRank.supports(volume)
