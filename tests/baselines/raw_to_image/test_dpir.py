"""DPIR with denoisers that are proximal maps, against the minimisers they belong to, and with one that it trains."""

import pytest
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise, ZeroNoise
from examples import noisy_photograph, psnr
from learning import fit

from baselines.functionals.data_fit import data_fit
from baselines.functionals.l1 import soft_threshold, sparsity
from baselines.networks.normalisation import rms
from baselines.raw_to_image.dpir import BALANCE, DPIR
from baselines.solvers.primal_dual import pdhg
from baselines.transforms.wavelets import Wavelets
from bench.contract.toy_operators import toys
from bench.errors import BenchError

SHAPE = (16, 16)
SIGMA = 0.5


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Constant(DPIR):
    """All σ_k are the last one."""

    def schedule(self, steps):
        return [self.sigma] * steps


class Quadratic(Constant):
    """D(x; σ) = argmin_z ½‖z − x‖² + σ² R(z), R(z) = ½⟨z, S⁻¹z⟩ with S diagonal in the Fourier transform."""

    inverse = 0.05 + torch.fft.fftfreq(16, dtype=torch.float64)[:, None].abs() + torch.fft.fftfreq(16).abs()

    def denoise_once(self, x, sigma):
        return torch.fft.ifft2(torch.fft.fft2(x) / (1 + sigma[:, None, None, None] ** 2 * self.inverse)).real


class Sparse(Constant):
    """The same with R(z) the 1-norm of the details of orthonormal wavelets."""

    def denoise_once(self, x, sigma):
        W = Wavelets(x, "haar", 2)
        return W.synthesis(soft_threshold(W.analysis(x), sigma[:, None, None, None] ** 2 * W.weights))


def at(method, *, error):
    """With SIGMA for the noise, and ``error`` for the one of the direct reconstruction."""
    method.noise.fill_(SIGMA**2)
    method.error.fill_(error**2)
    return method


def blur():
    kernel = torch.outer(torch.tensor([1.0, 5, 1]), torch.tensor([1.0, 6, 1])).double()
    physics = BlurFFT((1, *SHAPE), (kernel / kernel.sum())[None, None])
    physics.operator_norm, physics.noise_model = 1.0, GaussianNoise(0.1)
    return physics


def measured():
    x = torch.rand(1, 1, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return blur().A(x), rms(blur().A_adjoint(blur().A(x)))


def ridge(weight):
    """argmin ½‖Ax − y‖² + weight R(x) in units of the direct reconstruction's rms, for the quadratic R."""
    y, _ = measured()
    transfer = torch.fft.fft2(blur().A(torch.eye(256, dtype=torch.float64)[:1].reshape(1, 1, *SHAPE)))
    return torch.fft.ifft2(
        transfer.conj() * torch.fft.fft2(y) / (transfer.abs() ** 2 + weight * Quadratic.inverse)
    ).real


def test_admm_minimises_the_sum_of_both_terms():
    y, _ = measured()
    x_hat = at(Quadratic(algorithm="admm", iterations=300), error=SIGMA)(y, blur())
    assert torch.allclose(x_hat, ridge(BALANCE["admm"] * SIGMA**2), atol=1e-6)


def test_splitting_whose_levels_fall_ends_near_the_minimiser_and_one_of_constant_level_does_not():
    """HQS at σ_k = s minimises over z: ½‖Ax − y‖² + ν/2‖x − z‖² + νs²R(z), which tends to the sum as s → 0."""
    y, _ = measured()
    expected = ridge(BALANCE["hqs"] * SIGMA**2)

    class Falling(Quadratic):
        def schedule(self, steps):
            return [0.97**k for k in range(steps)]

    falling, constant = (at(kind(iterations=150), error=SIGMA)(y, blur()) for kind in (Falling, Quadratic))
    bias = float((constant - expected).abs().max())
    assert bias > 1e-3
    assert float((falling - expected).abs().max()) < 0.3 * bias


def test_admm_with_sparse_wavelets_reaches_the_minimiser_of_primal_dual_iterations():
    y, unit = measured()
    x_hat = at(Sparse(algorithm="admm", iterations=400), error=SIGMA)(y, blur())
    W = Wavelets(y, "haar", 2)
    f = data_fit(blur(), y / unit).compose(W.synthesis, W.synthesis_adjoint)
    c = pdhg(W.analysis(y / unit), f, sparsity(BALANCE["admm"] * SIGMA**2, W.weights), 2000, lambda c: None)
    assert (c == 0).sum() > 20
    assert torch.allclose(x_hat, unit * W.synthesis(c), atol=1e-4)


def test_data_without_noise_are_met():
    y, physics = measured()[0], blur()
    physics.noise_model = ZeroNoise()
    for algorithm in BALANCE:
        x_hat = at(Quadratic(algorithm=algorithm), error=0.1)(y, physics)
        assert float((physics.A(x_hat) - y).norm() / y.norm()) < 1e-3


def test_the_schedule_falls_from_twice_the_error_to_the_noise():
    method = at(DPIR(width=4, levels=1), error=0.7)
    schedule = method.schedule(5)
    assert schedule[0] == pytest.approx(1.4)
    assert schedule[-1] == pytest.approx(0.23**0.5 * SIGMA)
    assert schedule == sorted(schedule, reverse=True)


def test_training_measures_the_noise_and_the_error():
    x = torch.rand(4, 1, 64, 64) + 0.5
    y = x + 0.2 * torch.randn_like(x)
    method, physics = DPIR(width=4, levels=1), Denoising(GaussianNoise(0.2))
    fit(method, [(*pair, physics) for pair in zip(x.split(2), y.split(2), strict=True)])
    assert float(method.noise) ** 0.5 == pytest.approx(0.2 / float(rms(y).square().mean().sqrt()), rel=0.02)
    assert torch.allclose(method.error, method.noise)
    assert int(method.batches) == 2


@pytest.fixture(scope="module")
def trained():
    """On a part of a photograph, 150 steps, at a rate for as few."""
    torch.manual_seed(0)
    x, y = noisy_photograph(slice(0, 512), slice(0, 300), 0.1)
    physics, batches = Denoising(GaussianNoise(0.1)), []
    for _ in range(150):
        corners = [(int(torch.randint(0, 480, ())), int(torch.randint(0, 268, ()))) for _ in range(4)]
        patches = (torch.cat([image[..., i : i + 32, j : j + 32] for i, j in corners]) for image in (x, y))
        batches.append((*patches, physics))
    method = DPIR(width=16, levels=1)
    method.learning_rate = 1e-2
    fit(method, batches)
    return method.eval()


def test_a_trained_denoiser_uses_the_level_that_it_is_told(trained):
    """On another part: the right level is better than half and twice of it."""
    x, _ = noisy_photograph(slice(100, 196), slice(320, 416), 0.0)
    n = torch.randn_like(x)
    for sigma in (0.1, 0.15):
        y = x + sigma * n
        half, right, twice = (trained(y, Denoising(GaussianNoise(factor * sigma))) for factor in (0.5, 1, 2))
        assert not right.requires_grad
        assert psnr(right, x) > psnr(y, x) + 6
        assert psnr(right, x) > max(psnr(half, x), psnr(twice, x)) + 0.5


def test_no_pixel_changes_by_more_than_five_times_the_noise(trained):
    y = torch.zeros(1, 1, *SHAPE)
    y[..., 8, 8] = 100.0
    change = trained(y, Denoising(GaussianNoise(0.1))) - y
    assert 0.49 < float(change.abs().max()) < 0.51


def test_the_unit_of_the_image_does_not_matter(trained):
    y = torch.rand(1, 1, *SHAPE)
    physics = BlurFFT((1, *SHAPE), torch.ones(1, 1, 3, 3) / 9, noise_model=GaussianNoise(0.1))
    physics.operator_norm = 1.0
    assert torch.allclose(trained(1e-3 * y, physics), 1e-3 * trained(y, physics), atol=1e-7)


def test_blind_tracks_volumes_and_other_algorithms_are_refused():
    blind = type(toys()[0].track)(**{**vars(toys()[0].track), "blind": True})
    assert "operator" in DPIR.supports(blind)
    assert "volumes" in DPIR.supports(next(toy.track for toy in toys() if toy.track.dims == 3))
    with pytest.raises(BenchError, match="algorithm=pdhg is not one of hqs, admm"):
        DPIR(algorithm="pdhg")
