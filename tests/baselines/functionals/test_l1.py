"""The soft threshold against torch's own and a numerical minimiser, and the proximal map against the dual one."""

from dataclasses import replace

import pytest
import torch
from scipy.optimize import minimize

from baselines.functionals.l1 import length, project_lengths, soft_threshold, sparsity


def coefficients(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_numbers_are_shrunk_as_by_torch():
    c = coefficients(2, 1, 5, 6)
    assert torch.allclose(soft_threshold(c, 0.7), torch.nn.functional.softshrink(c, 0.7), atol=1e-15)


def test_each_number_may_have_a_threshold_of_its_own():
    c = torch.tensor([3.0, -3, 0.5, 0])
    assert soft_threshold(c, torch.tensor([1.0, 2, 2, 0])).tolist() == [2, -1, 0, 0]


def test_a_length_over_channels_is_shrunk_to_the_minimiser_that_scipy_finds():
    c, threshold = coefficients(1, 2, 3, 3), 0.8
    found = soft_threshold(c, threshold, channel_axis=1)
    for i in range(3):
        for j in range(3):
            target = c[0, :, i, j].numpy()

            def objective(v, target=target):
                return 0.5 * ((v - target) ** 2).sum() + threshold * (v**2).sum() ** 0.5

            best = minimize(objective, target, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
            assert found[0, :, i, j].tolist() == pytest.approx(best.x, abs=1e-5)


def test_what_the_soft_threshold_takes_off_is_the_projection():
    c, radius = coefficients(2, 3, 4, 5), torch.full((4, 5), 1.1, dtype=torch.float64)
    assert torch.allclose(c - soft_threshold(c, radius, 1), project_lengths(c.clone(), radius, 1))
    assert float(length(project_lengths(c.clone(), radius, 1), 1).max()) <= 1.1 + 1e-12


@pytest.mark.parametrize("channels", [1, 2])
def test_the_closed_form_of_the_proximal_map_agrees_with_moreaus_identity(channels):
    c = coefficients(2, channels, 4, 5)
    weights = torch.rand(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights[0] = 0
    g = sparsity(0.4, weights)
    assert torch.allclose(g.prox(c, 1.7), replace(g, closed_form=None).prox(c, 1.7), atol=1e-14)
    assert torch.equal(g.prox(c, 1.7)[..., 0, :], c[..., 0, :])


def test_its_value_is_the_sum_of_weighted_lengths():
    c = torch.tensor([3.0, 4])[None, :, None, None].expand(2, 2, 1, 6)
    assert sparsity(0.5, torch.arange(6.0)[None]).value(c).tolist() == [0.5 * 5 * 15] * 2
