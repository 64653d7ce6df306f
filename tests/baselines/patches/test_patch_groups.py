"""Groups of blocks against loops over them."""

import numpy as np
import torch

from baselines.patches.patch_groups import by_singular_values, collaborate, search

SIDE = 4


def test_the_average_of_estimates_block_by_block():
    x, other = torch.rand(2, 1, 1, 15, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    index = search(x, SIDE, 6, 3, 15)
    found = collaborate((x, other), index, SIDE, lambda members, Y, Z: 0.3 * Y + 0.1 * Z + members[..., None])

    def block(image, place):
        i, j = divmod(place, 13 - SIDE + 1)
        return np.s_[i : i + SIDE, j : j + SIDE], image[0, 0].numpy()[i : i + SIDE, j : j + SIDE]

    total, count = np.zeros((15, 13)), np.zeros((15, 13))
    for group in index.tolist():
        mean, other_mean = (np.mean([block(image, place)[1] for place in group], 0) for image in (x, other))
        for place in group:
            window, pixels = block(x, place)
            estimate = mean + 0.3 * (pixels - mean) + 0.1 * (block(other, place)[1] - other_mean) + place
            total[window] += estimate
            count[window] += 1
    assert np.allclose(found[0, 0].numpy(), total / count)


def test_singular_values_are_mapped_whichever_side_is_longer():
    for shape in ((3, 9, 5), (3, 5, 9)):
        Y = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        U, s, Vh = np.linalg.svd(Y.numpy(), full_matrices=False)
        assert np.allclose(by_singular_values(Y, lambda s: s**2 - 1).numpy(), U @ ((s**2 - 1)[..., None] * Vh))
