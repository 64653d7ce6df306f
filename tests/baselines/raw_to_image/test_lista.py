"""Learned ISTA: before training it is ISTA, and it learns."""

import pytest
import torch
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.functionals.data_fit import data_fit
from baselines.functionals.l1 import sparsity
from baselines.networks.cosine_filters import convolve, convolve_adjoint
from baselines.networks.normalisation import rms
from baselines.raw_to_image.lista import THRESHOLD, Lista, shrink
from baselines.solvers.proximal_gradient import ista
from bench.contract.operators import direct
from bench.contract.toy_operators import toys


@pytest.mark.parametrize("name", ["blur", "real mri", "rays"])
def test_untrained_it_is_ista(name):
    """By the algorithm that the variational methods share, on the coefficients of the frame."""
    toy = next(toy for toy in toys() if toy.track.name == name)
    method, (y, physics) = Lista(iterations=6), toy.one(0)
    x = direct(y, physics)
    unit = float(rms(x))
    f = data_fit(physics, y / unit, "gaussian").compose(
        lambda c: convolve_adjoint(c, method.frame), lambda image: convolve(image, method.frame)
    )
    weights = torch.ones(9, 1, 1)
    weights[0] = 0
    c = ista(convolve(x / unit, method.frame), f, sparsity(THRESHOLD, weights[None], channel_axis=0), 6, lambda v: None)
    with torch.no_grad():
        assert torch.allclose(method(y, physics), unit * convolve_adjoint(c, method.frame), atol=1e-5 * unit)


def test_equivariant_to_the_unit():
    assert_equivariant_to_the_unit(Lista(iterations=2))


def test_learns_one_image():
    torch.manual_seed(0)
    assert_learns_one_image(Lista(iterations=3), rate=1e-2, share=0.5)


@pytest.mark.parametrize("threshold", [-0.1, 0.0, 0.1])
def test_gradient_of_shrinkage_where_coefficients_almost_vanish(threshold):
    """Photon counts of a black image give such coefficients; a learned threshold may become negative."""
    c = torch.tensor([1e-38, 1e-25, 1e-8, 0.05, 0.5])
    c = torch.cat([c, -c[:3], torch.zeros(1)]).requires_grad_()
    theta = torch.tensor(threshold, requires_grad=True)
    by_c, by_theta = torch.autograd.grad(shrink(c, theta).sum(), [c, theta])
    passes = (c.abs() > threshold) & (c != 0)
    assert torch.equal(by_c, passes.float())
    assert by_theta == -(passes * c.sign()).sum()
