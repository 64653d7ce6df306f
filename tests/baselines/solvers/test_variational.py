"""The algorithms against each other, closed forms and their own objectives."""

import pytest
import torch
from deepinv.physics import BlurFFT, Denoising, GaussianNoise, LaplaceNoise, PoissonNoise

from baselines.conjugate_gradient import conjugate_gradient
from baselines.functionals.data_fit import data_fit
from baselines.functionals.likelihood import likelihood
from baselines.handcrafted.perona_malik import PeronaMalik
from baselines.handcrafted.piecewise_smooth import PiecewiseSmooth
from baselines.handcrafted.shock_filter import ShockFilter, second_derivatives, slope
from baselines.handcrafted.tgv import TGV, symmetrised_gradient, symmetrised_gradient_adjoint
from baselines.handcrafted.tv import TV
from baselines.handcrafted.wavelet import Wavelet
from baselines.transforms.finite_differences import gradient, gradient_adjoint
from bench.errors import BenchError


def image(*shape, seed=0):
    """A slope, a step and noise, float64."""
    rng = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0.2, 0.8, shape[-1], dtype=torch.float64).expand(shape).clone()
    ramp[..., shape[-1] // 2 :] += 0.5
    return ramp + 0.05 * torch.randn(shape, dtype=torch.float64, generator=rng)


def blur(side=16):
    return BlurFFT((1, side, side), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)


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


def test_tgv_keeps_a_slope_which_tv_lowers():
    """An affine image has no second derivative: it is its own minimiser, whatever λ is."""
    x = torch.linspace(0, 1, 12, dtype=torch.float64).expand(1, 1, 12, 12) + torch.linspace(0, 2, 12)[:, None]
    tgv, tv = (float((method(0.1, iterations=1000)(x, Denoising()) - x).abs().max()) for method in (TGV, TV))
    assert tgv < 0.05 * tv


@pytest.mark.parametrize("dims", [2, 3])
def test_symmetrised_gradient(dims):
    shape = (8, 6, 5)[:dims]
    w = image(dims, 1, 1, *shape)
    e = image(dims * (dims + 1) // 2, 1, 1, *shape, seed=1)
    ours = float((symmetrised_gradient(w) * e).sum())
    assert ours == pytest.approx(float((w * symmetrised_gradient_adjoint(e, dims)).sum()), rel=1e-12)
    turn = torch.stack(torch.meshgrid(*(torch.arange(n).double() for n in shape), indexing="ij"))
    field = torch.zeros(dims, 1, 1, *shape, dtype=torch.float64)
    field[0], field[1] = -turn[1], turn[0]  # a rotation is not deformed
    inside = (..., *(slice(0, n - 1) for n in shape))
    assert float(symmetrised_gradient(field)[inside].abs().max()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("method", [PeronaMalik, PiecewiseSmooth])
@pytest.mark.parametrize("physics", [Denoising(), blur(), Denoising(PoissonNoise(0.1))], ids=str)
def test_diffusion_never_raises_its_objective(method, physics):
    y = physics.A(image(1, 1, 16, 16))
    values = torch.tensor(method(2.0, 0.1, iterations=100).convergence(y, physics))
    assert bool((values[1:] <= values[:-1] * (1 + 1e-6)).all())
    assert values[-1] < values[0]


@pytest.mark.parametrize("method", [PeronaMalik, PiecewiseSmooth])
def test_diffusion_below_the_edge_length_is_that_of_tikhonov(method):
    """With κ far above all differences c is one, and x solves (1 + λ∇ᵀ∇) x = y."""
    y = image(1, 1, 16, 16)
    found = method(1.0, 1e4, iterations=300)(y, Denoising())
    expected = conjugate_gradient(lambda x: x + gradient_adjoint(gradient(x)), y, y, 200)
    assert torch.allclose(found, expected, atol=1e-5)


def test_piecewise_smooth_keeps_a_high_step():
    """A step ten times κ stands, while the same smoothing without edges flattens it."""
    y = torch.zeros(1, 1, 8, 32, dtype=torch.float64)
    y[..., 16:] = 1
    kept = PiecewiseSmooth(5.0, 0.1, iterations=500)(y, Denoising())
    flat = PiecewiseSmooth(5.0, 1e3, iterations=500)(y, Denoising())
    assert float((kept - y).abs().max()) < 0.06
    assert float((flat - y).abs().max()) > 0.3


def test_shock_filter_steepens_an_edge_and_keeps_its_extremes():
    ramp = (torch.linspace(-3, 3, 48, dtype=torch.float64)).sigmoid().expand(1, 1, 8, 48)
    sharp = ShockFilter(weight=1e-6, smoothing=0.0, softness=0.0, iterations=200)(ramp, Denoising())
    # The data term all but forbids a change at weight 1e-6 ...
    assert torch.allclose(sharp, ramp, atol=1e-2)
    # ... and lets the shock form at a large one.
    sharp = ShockFilter(weight=1e6, smoothing=0.0, softness=0.0, iterations=200)(ramp, Denoising())
    assert float(sharp.diff(dim=-1).max()) > 5 * float(ramp.diff(dim=-1).max())
    assert float(sharp.min()) >= float(ramp.min()) - 1e-6
    assert float(sharp.max()) <= float(ramp.max()) + 1e-6


def test_second_derivatives_of_a_paraboloid():
    """x = r²/2 has x_ηη = 1 along the radius, and 1 across."""
    side = torch.arange(-8, 9, dtype=torch.float64)
    x = 0.5 * (side[:, None] ** 2 + side**2)[None, None]
    along, across = second_derivatives(x)
    inside = (..., slice(2, -2), slice(2, -2))
    centre = (x[inside] == 0)[0, 0]
    assert torch.allclose(along[inside][0, 0][~centre], torch.tensor(1.0).double())
    assert torch.allclose(across[inside][0, 0][~centre], torch.tensor(1.0).double())
    assert float(slope(x)[0, 0, 8, 12]) == pytest.approx(3.5)  # the smaller of the one-sided differences


def test_data_term_of_the_noise_and_on_request_the_gaussian_one():
    y = image(1, 1, 8, 8).clamp(min=0.1)
    physics = Denoising(PoissonNoise(0.1))
    x = y + 0.1
    matched, gaussian = data_fit(physics, y), data_fit(physics, y, "gaussian")
    assert float(matched.value(x)) == pytest.approx(float(likelihood(y, physics.noise_model).value(x)))
    assert float(gaussian.value(x)) == pytest.approx(0.5 * 0.01 * 64)


@pytest.mark.parametrize("noise", [GaussianNoise(0.1), PoissonNoise(0.1)])
def test_prox_dual_is_that_of_the_conjugate(noise):
    """Moreau: q − prox_{σh*}(q) = σ prox_{h/σ}(q/σ), with h(z) = F(‖A‖z)/‖A‖² minimised numerically."""
    y = image(1, 1, 4, 4).clamp(min=0.1)
    physics = blur(4)
    physics.noise_model = noise
    f = data_fit(physics, y)
    q, sigma = image(1, 1, 4, 4, seed=2), 0.7
    z = (q - f.prox_dual(q, sigma)) / sigma
    z.requires_grad_()
    h = (f.F.value(f.norm * z) / f.norm**2 / sigma + 0.5 * (z - q / sigma).square().sum()).sum()
    (slope_of_h,) = torch.autograd.grad(h, z)
    assert float(slope_of_h.abs().max()) < 1e-6


@pytest.mark.parametrize(("name", "value"), [("algorithm", "fista"), ("data", "poisson")])
def test_wrong_choices_name_the_right_ones(name, value):
    with pytest.raises(BenchError, match=f"{name}={value} is not one of"):
        TV(**{name: value})


@pytest.mark.parametrize("name", ["bior4.4", "dmey", "db0"])
def test_wavelets_that_are_not_orthonormal_are_refused(name):
    with pytest.raises(BenchError, match=f"wavelet={name}"):
        Wavelet(wavelet=name)


def test_a_weight_of_zero_leaves_the_data_term_alone():
    y = image(1, 1, 8, 8)
    y[..., :4] = 0.5  # flat, where 0/0 lurks
    for method in (TV(0), TGV(0.0)):
        assert torch.allclose(method(y, Denoising()), y, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_shocks_do_not_depend_on_the_unit(unit):
    y, physics = image(1, 1, 16, 16), blur()
    method = ShockFilter(weight=1.0)
    assert torch.allclose(method(unit * y, physics) / unit, method(y, physics), rtol=1e-6)


@pytest.mark.parametrize("method", [PeronaMalik, ShockFilter])
def test_steps_down_a_gradient_without_bound_are_those_of_least_squares(method):
    physics, gaussian = blur(), blur()
    physics.noise_model, gaussian.noise_model = PoissonNoise(0.1), GaussianNoise(0.1)
    y = physics.A(image(1, 1, 16, 16))
    assert torch.equal(method()(y, physics), method()(y, gaussian))
    with pytest.raises(BenchError, match="Lipschitz"):
        Wavelet(algorithm="fista")(y, physics)
