"""Denoising with dictionaries: the objective, any size, any unit, and the atoms."""

import pytest
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise
from examples import noisy_photograph
from torch.nn.functional import avg_pool2d, conv_transpose2d

from baselines.data_driven.ksvd import KSVD
from baselines.data_driven.ksvd_trained import KSVDTrained
from baselines.data_driven.mod import MOD
from baselines.patches.dictionary import cosines
from baselines.patches.dictionary_denoiser import LAMBDA, C, denoise
from baselines.patches.patches import less_mean, patches

SHAPE = (16, 20)


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("method", [KSVD, KSVDTrained])
def test_inside_a_splitting_only_the_codes_of_a_dictionary_speak(method):
    """Under much noise no patch has an atom: each is its mean."""
    x = images(1, 1, *SHAPE)
    made = (method() if method is KSVD else method(dims=2)).double()
    denoise = made.begin()
    side = 6 if method is KSVD else 8
    count = avg_pool2d(torch.ones_like(x), side, 1)
    means = avg_pool2d(x, side, 1)
    spread = conv_transpose2d(means, torch.ones(1, 1, side, side).double())
    expected = spread / conv_transpose2d(count, torch.ones(1, 1, side, side).double())
    assert torch.allclose(denoise(x, torch.tensor([100.0])), expected)


SIGMA = 0.1


PHYSICS = Denoising(GaussianNoise(SIGMA))


@pytest.fixture(scope="module")
def striped():
    """Cloth-like texture, which no cosine is."""
    place = torch.arange(64)
    x = 0.5 + 0.3 * (((place[:, None] * 3 + place * 5) % 7) < 3).float()[None, None]
    return x, x + SIGMA * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def test_the_estimate_minimises_the_papers_objective_for_its_codes():
    """(λ + Σ RᵀR) x = λy + Σ Rᵀ(Dᵀα + m) and codes as wrong as the noise, patch by patch with scikit-learn's OMP."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    _, y = noisy_photograph(slice(150, 166), slice(200, 218), SIGMA)
    D = cosines(8, 2, 256).double()
    y, sigma = y.double(), torch.tensor([SIGMA]).double()
    total, weight = torch.zeros_like(y[0, 0]), torch.zeros_like(y[0, 0])
    centred, mean = less_mean(patches(y[0, 0], 8))
    energy, bound = centred.square().sum(1), 64 * (C * SIGMA) ** 2
    codes = linear_model.orthogonal_mp_gram(
        (D @ D.T).numpy(), (D @ centred.T).numpy(), tol=bound, norms_squared=energy.tolist()
    )
    clean = (torch.from_numpy(codes) * (energy > bound)).T @ D + mean
    for patch, corner in zip(clean, torch.cartesian_prod(torch.arange(9), torch.arange(11)).tolist(), strict=True):
        window = (slice(corner[0], corner[0] + 8), slice(corner[1], corner[1] + 8))
        total[window] += patch.view(8, 8)
        weight[window] += 1
    lam = 30 / 115 * y.square().mean().sqrt() / SIGMA
    expected = (lam * y[0, 0] + total) / (lam + weight)
    assert torch.allclose(denoise(y, sigma, [D], LAMBDA)[0, 0], expected, atol=1e-10)


@pytest.mark.parametrize("shape", [(5, 6), (7, 30), (8, 8), (9, 23), (3, 4, 6)])
@pytest.mark.parametrize("method", [KSVD, MOD])
def test_any_size(method, shape):
    """A flat image stays one, smaller than a patch too."""
    y = torch.full((2, 1, *shape), 3.0)
    assert torch.allclose(method()(y, Denoising(GaussianNoise(0.5))), y)


def test_equivariant_to_the_unit(striped):
    y = striped[1].double()
    blur = BlurFFT((1, 64, 64), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)
    method = KSVD(iterations=2)
    assert torch.allclose(method(1e-3 * y, blur), 1e-3 * method(y, blur), atol=1e-6)
    found, expected = method(1e-3 * y, Denoising(GaussianNoise(1e-3 * SIGMA))), method(y, PHYSICS)
    assert torch.allclose(found, 1e-3 * expected, atol=1e-6)


@pytest.mark.parametrize("method", [KSVD, MOD])
def test_the_curve_and_the_atoms_are_those_of_the_reconstruction(method, striped):
    x, y = striped
    curve = method().convergence(y, PHYSICS)
    assert len(curve) == 10
    assert max(curve) <= (C * SIGMA) ** 2
    atoms = method().atoms(y, PHYSICS)["dictionary"]
    assert atoms.shape == (256, 8, 8)
    again = denoise(y, torch.tensor([SIGMA]), [atoms.flatten(1)], LAMBDA)
    assert torch.equal(again, method()(y, PHYSICS))
    blur = BlurFFT((1, 64, 64), torch.ones(1, 1, 3, 3) / 9)
    assert len(method(iterations=3).convergence(blur.A(x), blur)) == 3
    volume = y[:, :, None, :8, :8].expand(-1, -1, 6, -1, -1)
    assert method().atoms(volume, PHYSICS)["dictionary"].shape == (256, 4, 4)
