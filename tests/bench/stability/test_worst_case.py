"""The worst perturbation of a linear reconstruction is its first singular vector; others are compared by distance."""

import pytest
import torch

from bench.stability.worst_case import on_sphere, random_perturbation, worst_perturbation


def start(y, norm, seed=0):
    return random_perturbation(y, norm, torch.Generator().manual_seed(seed))


def test_of_a_linear_reconstruction_it_is_the_first_singular_vector():
    matrix = torch.randn(12, 9, generator=torch.Generator().manual_seed(1))
    y, radius = torch.ones(1, 9), 0.3
    _left, values, right = torch.linalg.svd(matrix)
    d = worst_perturbation(lambda given: given @ matrix.T, y, start(y, radius), steps=300)
    assert float(d.norm()) == pytest.approx(radius, rel=1e-5)
    assert float((d @ matrix.T).norm()) == pytest.approx(radius * float(values[0]), rel=1e-3)
    assert abs(float(d[0] @ right[0])) == pytest.approx(radius, rel=1e-2)


def test_it_moves_the_reconstruction_further_than_its_start():
    network = torch.nn.Sequential(torch.nn.Linear(9, 30), torch.nn.Tanh(), torch.nn.Linear(30, 9))
    y = torch.ones(1, 9)
    first = start(y, 0.5)
    d = worst_perturbation(network, y, first)

    def distance(d):
        return float((network(y + d) - network(y)).detach().norm())

    assert distance(d) > 1.2 * distance(first)
    assert not any(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("f", [lambda y: y.detach() * 2, lambda y: torch.zeros(3, requires_grad=True) * 2])
def test_without_a_gradient_in_y_there_is_none(f):
    assert worst_perturbation(f, torch.ones(3), start(torch.ones(3), 1.0)) is None


def test_a_perturbation_is_zero_where_nothing_was_measured():
    y = torch.tensor([1.0, 0.0, 2.0, 0.0])
    assert (start(y, 1.0)[[1, 3]] == 0).all()
    assert (worst_perturbation(lambda given: given.cumsum(0), y, start(y, 1.0))[[1, 3]] == 0).all()
    assert torch.equal(start(y, 1.0), start(y, 1.0))
    assert float(start(y, 2.5).norm()) == pytest.approx(2.5)
    assert (on_sphere(torch.zeros(3), 1.0) == 0).all()
