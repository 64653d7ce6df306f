"""Total variation against loops, and its proximal maps against each other and a numerical minimiser."""

import numpy as np
import pytest
import torch

from baselines.functionals.total_variation import project, total_variation


def field(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_its_value_is_the_sum_of_lengths_of_differences_over_axes_and_channels():
    x = field(2, 2, 4, 5)
    g = total_variation(0.3, 2)
    expected = np.zeros(2)
    for b, i, j in np.ndindex(2, 4, 5):
        down = (x[b, :, i + 1, j] - x[b, :, i, j]).numpy() if i < 3 else np.zeros(2)
        across = (x[b, :, i, j + 1] - x[b, :, i, j]).numpy() if j < 4 else np.zeros(2)
        expected[b] += 0.3 * np.sqrt((down**2).sum() + (across**2).sum())
    assert g.value(g.K(x)).tolist() == pytest.approx(expected)


def test_its_norm_bounds_the_gradient():
    """By power iteration, and tight for a large image."""
    g, x = total_variation(1.0, 2), field(1, 1, 40, 40)
    for _ in range(200):
        x = g.K_adjoint(g.K(x / x.norm()))
    assert 0.98 * g.K_norm < float(x.norm()) ** 0.5 <= g.K_norm


@pytest.mark.parametrize("radius", [0.5, 0.0, torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)])
def test_projection_is_the_nearest_field_of_bounded_length(radius):
    p = field(2, 1, 1, 4, 3)
    found = project(p.clone(), radius)
    bound = torch.as_tensor(radius, dtype=torch.float64).expand(1, 4, 3)
    size = p.square().sum((0, 2)).sqrt()
    assert torch.allclose(found.square().sum((0, 2)).sqrt(), size.minimum(bound), atol=1e-12)
    assert torch.allclose(found * size, p * found.square().sum((0, 2)).sqrt(), atol=1e-12)  # of the same direction


def test_the_proximal_map_shortens_each_vector():
    """By Moreau's identity: argmin_q ½|q − p|² + 0.7 · 0.3 |q| is p, shorter by 0.21."""
    p = field(2, 1, 1, 4, 3)
    size = p.square().sum(0).sqrt()
    assert torch.allclose(total_variation(0.3, 2).prox(p, 0.7), p * (1 - 0.21 / size).clamp(min=0))
