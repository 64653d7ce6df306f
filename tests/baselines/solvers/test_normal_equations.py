"""The normal equations: solved by a division where A'A is a circular convolution, by conjugate gradients elsewhere."""

import pytest
import torch

from baselines.solvers.normal_equations import STEPS, NormalEquations, inverse, transform
from bench.contract.toy_operators import toys

TOYS = {toy.track.name: toy for toy in toys()}
CIRCULAR = {
    "denoising",
    "odd-sided",
    "blur",
    "mri",
    "real mri",
    "dipole",
    "blind blur",
    "rays",
    "finding from rays",
    "findings from k-space",
}  # the toy's rays wrap around


@pytest.mark.parametrize("name", TOYS)
def test_the_solution_solves_the_system(name):
    toy = TOYS[name]
    system = NormalEquations(toy.y, toy.physics(toy.params))
    assert (system.spectrum is not None) == (name in CIRCULAR)
    b = torch.randn(system.A_adjoint_y.shape, generator=torch.Generator().manual_seed(0))
    r = 0.5 + torch.rand(b.shape[2:], generator=torch.Generator().manual_seed(1))
    r = (r + r.flip(*range(r.ndim)).roll([1] * r.ndim, list(range(r.ndim)))) / 2  # of a real filter
    x = system.solve(b, r, torch.zeros_like(b))
    residual = system.A_adjoint_A(x) + inverse(r * transform(x), x.shape[1]) - b
    assert residual.abs().max() < (1e-5 if name in CIRCULAR else 2e-2) * b.abs().max()
    assert STEPS == 10


def test_the_unit_divides_the_measurement_alone():
    toy = TOYS["blur"]
    one, other = (NormalEquations(toy.y, toy.physics(toy.params), unit) for unit in (1.0, 4.0))
    assert torch.allclose(one.A_adjoint_y, 4 * other.A_adjoint_y)
    assert torch.equal(one.A_adjoint_A(toy.x), other.A_adjoint_A(toy.x))
