"""What every operator promises, checked on each in float64."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from deepinv.physics import GaussianNoise, LinearPhysics

from bench.contract.operators import direct, operator_norm
from tasks.physics.blind_blur import BlindBlur
from tasks.physics.blur import CircularBlur
from tasks.physics.blur_kernels import gaussian_kernel, motion_kernel
from tasks.physics.ct import CT
from tasks.physics.inpainting import Inpainting
from tasks.physics.mri import MRI, MultiCoilMRI, RealMRI, variable_density_mask
from tasks.physics.noise import PhotonNoise
from tasks.physics.projector import Geometry
from tasks.physics.qsm import Dipole


class Case(NamedTuple):
    make: Callable[[], LinearPhysics]
    shape: tuple[int, ...]  # of an image, without the batch axis


def cartesian(height: int, width: int) -> torch.Tensor:
    return variable_density_mask((height, width), 2, 0.2, np.random.default_rng(0))[None]


def coils(height: int, width: int) -> torch.Tensor:
    maps = torch.randn(1, 3, height, width, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    return maps / maps.abs().square().sum(1, keepdim=True).sqrt()


def known(height: int, width: int) -> torch.Tensor:
    return (torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0)) < 0.4).double()


CASES = {
    "ct": Case(lambda: CT(Geometry.parallel(8, 5), PhotonNoise(1e4)), (1, 8, 8)),
    "ct-limited": Case(lambda: CT(Geometry(9, (0.1, 0.5, 1.3, 4.0), 7, 1.3, 0.7), PhotonNoise(1e4)), (1, 9, 9)),
    "gaussian-blur": Case(lambda: CircularBlur(gaussian_kernel(1.0, 5), GaussianNoise(0.01)), (2, 8, 9)),
    "motion-blur": Case(lambda: CircularBlur(motion_kernel(1, 7, 5.0), GaussianNoise(0.01)), (1, 9, 8)),
    "blind-blur": Case(lambda: BlindBlur(5, GaussianNoise(0.01)), (2, 8, 9)),
    "inpainting": Case(lambda: Inpainting(known(8, 9), GaussianNoise(0.01)), (1, 8, 9)),
    "mri": Case(lambda: MRI(cartesian(6, 9), GaussianNoise(0.01)), (2, 6, 9)),
    "mri-real-even": Case(lambda: RealMRI(cartesian(6, 8), GaussianNoise(0.01)), (1, 6, 8)),
    "mri-real-odd": Case(lambda: RealMRI(cartesian(6, 9), GaussianNoise(0.01)), (1, 6, 9)),
    "mri-multicoil": Case(lambda: MultiCoilMRI(cartesian(6, 8), coils(6, 8), GaussianNoise(0.01)), (2, 6, 8)),
    "dipole": Case(lambda: Dipole(noise_model=GaussianNoise(0.01)), (1, 4, 6, 4)),
    "dipole-oblique": Case(lambda: Dipole((1.0, 0.8, 2.0), (0.3, -0.5, 0.8)), (1, 4, 5, 6)),
}
CLOSED_FORM = {name: case for name, case in CASES.items() if not name.startswith(("ct", "mri-multicoil"))}

BOUNDED = ("mri-multicoil", "dipole-oblique")  # state a bound of the norm


@pytest.fixture(params=CASES, name="case")
def _case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def dense(physics: LinearPhysics, shape: tuple[int, ...]) -> torch.Tensor:
    """The operator as a matrix, from its values on unit vectors."""
    n = int(np.prod(shape))
    return torch.stack([physics.A(unit.reshape(1, *shape)).flatten() for unit in torch.eye(n, dtype=torch.float64)], 1)


def test_adjoint_is_exact(case: Case) -> None:
    physics, x = case.make(), randn(2, *case.shape)
    y = physics.A(x)
    v = randn(*y.shape, seed=1)
    assert physics.A_adjoint(v).shape == x.shape
    torch.testing.assert_close((y * v).sum(), (x * physics.A_adjoint(v)).sum(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(physics.A_adjoint_A(x), physics.A_adjoint(y), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(physics.A_A_adjoint(v), physics.A(physics.A_adjoint(v)), rtol=1e-10, atol=1e-10)


def test_linear_and_batched(case: Case) -> None:
    physics, x = case.make(), randn(3, *case.shape)
    y = physics.A(x)
    torch.testing.assert_close(physics.A(2 * x[:1] - x[1:2]), 2 * y[:1] - y[1:2])
    for apply, values in ((physics.A, x), (physics.A_adjoint, y), (lambda v: direct(v, physics), y)):
        torch.testing.assert_close(apply(values), torch.cat([apply(value[None]) for value in values]))


def test_gradients(case: Case) -> None:
    physics, x = case.make(), randn(2, *case.shape).requires_grad_()
    y = physics.A(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(physics.A(x), x, y)
    torch.testing.assert_close(gradient, physics.A_adjoint(y))
    torch.testing.assert_close(physics.A_vjp(x, y), physics.A_adjoint(y))
    assert torch.autograd.gradcheck(physics.A, x, fast_mode=True)
    assert torch.autograd.gradcheck(physics.A_adjoint, y, fast_mode=True)
    assert torch.autograd.gradcheck(lambda y: direct(y, physics), y, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: physics.A(x).square(), x, fast_mode=True)


@pytest.mark.parametrize("name", [name for name in CASES if name != "mri-multicoil"])
def test_single_precision(name: str) -> None:
    physics, x = CASES[name].make().to(torch.float32), randn(1, *CASES[name].shape)
    y = physics.A(x.float())
    assert y.dtype == direct(y, physics).dtype == torch.float32
    torch.testing.assert_close(y.double(), physics.A(x), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_same_on_the_gpu(case: Case) -> None:
    physics, x = case.make(), randn(2, *case.shape)
    y = physics.A(x)
    there = case.make().to("cuda")
    for apply, value in (("A", x), ("A_adjoint", y), ("direct", y)):
        moved = getattr(there, apply)(value.cuda())
        assert moved.device.type == "cuda"
        torch.testing.assert_close(moved.cpu(), getattr(physics, apply)(value))


@pytest.mark.parametrize("name", CASES)
def test_norm_is_the_largest_singular_value(name: str) -> None:
    physics, shape = CASES[name].make(), CASES[name].shape
    largest = float(torch.linalg.matrix_norm(dense(physics, shape), ord=2))
    stated = operator_norm(physics, physics.A(randn(1, *shape)))
    assert stated >= largest * (1 - 1e-6)
    if name not in BOUNDED:
        assert stated <= largest * (1 + 1e-6)


def test_direct_has_the_image_s_shape_and_is_finite(case: Case) -> None:
    physics, x = case.make(), randn(2, *case.shape)
    x_hat = physics.direct(physics.A(x))
    assert x_hat.shape == x.shape
    assert x_hat.dtype == x.dtype
    assert torch.isfinite(x_hat).all()


def test_nothing_is_changed_by_use(case: Case) -> None:
    physics, x = case.make(), randn(2, *case.shape)
    kept, before = {key: value.clone() for key, value in physics.state_dict().items()}, x.clone()
    y = physics(x.abs())
    measured = y.clone()
    physics.A_adjoint(y), physics.direct(y), physics.prox_l2(x, y, 1.0)
    assert torch.equal(x, before)
    assert torch.equal(y, measured)
    assert all(torch.equal(value, physics.state_dict()[key]) for key, value in kept.items())


def test_copies_and_clones(case: Case) -> None:
    physics, x = case.make(), randn(1, *case.shape)
    y = physics.A(x)
    torch.testing.assert_close(copy.deepcopy(physics).A(x), y)
    torch.testing.assert_close(case.make().A(x), y)


@pytest.mark.parametrize("name", CLOSED_FORM)
@pytest.mark.parametrize("gamma", [0.3, torch.tensor([0.3, 20.0], dtype=torch.float64)], ids=["number", "per-image"])
def test_prox_solves_the_normal_equations(name: str, gamma: float | torch.Tensor) -> None:
    physics, shape = CLOSED_FORM[name].make(), CLOSED_FORM[name].shape
    if isinstance(gamma, torch.Tensor) and isinstance(physics, MRI | Inpainting):
        gamma = gamma.reshape(-1, 1, 1, 1)  # as deepinv takes it
    z = randn(2, *shape)
    y = randn(*physics.A(z).shape, seed=1)
    matrix = dense(physics, shape)
    for i, weight in enumerate(np.broadcast_to(np.ravel(gamma), 2)):
        left = weight * matrix.T @ matrix + torch.eye(matrix.shape[1], dtype=torch.float64)
        solution = torch.linalg.solve(left, weight * matrix.T @ y[i].flatten() + z[i].flatten())
        torch.testing.assert_close(physics.prox_l2(z, y, gamma)[i].flatten(), solution)


@pytest.mark.parametrize("name", ["gaussian-blur", "motion-blur", "blind-blur", "dipole", "dipole-oblique"])
def test_pseudo_inverse(name: str) -> None:
    physics, shape = CASES[name].make(), CASES[name].shape
    y = randn(1, *shape)
    inverse = torch.linalg.pinv(dense(physics, shape), rtol=1e-5)
    torch.testing.assert_close(physics.A_dagger(y).flatten(), inverse @ y.flatten(), rtol=1e-6, atol=1e-6)
