"""Patches against slices, and their average as the inverse."""

import pytest
import torch

import baselines.patches.patches
from baselines.chunks import Chunk
from baselines.patches.patches import add_up, cover, patches, pictures, some_patches

SHAPES = [(11, 9), (4, 4), (6, 7, 5)]


def image(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
def test_patches_are_slices_in_order(shape):
    x = image(shape)
    corners = torch.cartesian_prod(*(torch.arange(n - 3) for n in shape)).tolist()
    expected = torch.stack([x[tuple(slice(i, i + 4) for i in corner)].flatten() for corner in corners])
    assert torch.equal(patches(x, 4), expected)
    drawn = some_patches(x, 4, 5)
    assert len(drawn) == min(5, len(expected))
    assert all(any(torch.equal(row, other) for other in expected) for row in drawn)


@pytest.mark.parametrize("slab", [1, 20, 10**6])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sum_is_the_adjoint(shape, slab, monkeypatch):
    """⟨R x, p⟩ = ⟨x, Rᵀp⟩, however the image is cut in slabs."""
    monkeypatch.setattr(baselines.patches.patches, "SLAB", Chunk(slab, slab))
    x = image(shape)
    added = add_up(x, 4, lambda rows: rows.sin())
    assert torch.allclose((added * x).sum(), (patches(x, 4).sin() * patches(x, 4)).sum())
    assert torch.allclose(add_up(x, 4, lambda rows: rows) / cover(x, 4), x)


def test_pictures_are_the_patches_or_their_middle_slices():
    plane, volume = image((2, 4, 4)), image((2, 4, 4, 4))
    assert torch.equal(pictures(plane.flatten(1), 4), plane)
    assert torch.equal(pictures(volume.flatten(1), 4), volume[:, 2])
