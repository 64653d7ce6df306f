"""A correction is of normalised images, in the image's unit."""

import torch

from baselines.networks.correction import corrected


def test_the_network_sees_images_of_norm_one_without_their_mean_and_its_answer_gets_their_unit():
    d = 3 + 0.5 * torch.randn(2, 1, 8, 9, generator=torch.Generator().manual_seed(0))
    unit = d.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    expected = (d - d.mean(dim=(2, 3), keepdim=True)) / unit
    seen = []
    found = corrected(d, lambda z: seen.append(z) or torch.ones_like(z))
    assert torch.allclose(seen[0], expected, atol=1e-6)
    assert torch.allclose(found, d + unit)
