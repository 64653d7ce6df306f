"""Block matching against a search by brute force, and block sums against loops."""

import pytest
import torch

from baselines.patches.block_matching import accumulate, aggregate, candidates, match
from baselines.patches.patches import patches


def images(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_brute_force(image, side, step, window, count):
    """Of each reference in an image (H, W): itself, then every block of its window by distance."""
    rows, columns = (n - side + 1 for n in image.shape)
    indices, distances = [], []
    for top in range(0, rows + step - 1, step):
        for left in range(0, columns + step - 1, step):
            own = (min(top, rows - 1), min(left, columns - 1))
            patch = image[own[0] : own[0] + side, own[1] : own[1] + side]
            found = []
            for i in range(max(0, top - window // 2), min(rows, top + window // 2 + 1)):
                for j in range(max(0, left - window // 2), min(columns, left + window // 2 + 1)):
                    distance = float((image[i : i + side, j : j + side] - patch).square().sum())
                    found.append(((i, j) != own, distance, i * columns + j))
            found = sorted(found)[:count]
            found += [(True, float("inf"), own[0] * columns + own[1])] * (count - len(found))
            indices.append([index for _, _, index in found])
            distances.append([distance for _, distance, _ in found])
    return torch.tensor(indices), torch.tensor(distances, dtype=image.dtype)


@pytest.mark.parametrize(
    ("shape", "side", "step", "window", "count"),
    [
        ((21, 17), 4, 3, 9, 8),
        ((30, 13), 5, 2, 7, 12),  # windows that hold less than 12 blocks
        ((9, 9), 8, 3, 39, 4),
        ((8, 12), 8, 3, 39, 8),  # one row of blocks, fewer than 8
        ((40, 60), 6, 4, 11, 16),  # several tiles
        ((12, 12), 3, 1, 5, 3),
    ],
)
def test_matches_are_those_of_a_full_search(shape, side, step, window, count):
    x = images(2, 1, *shape)
    index, distance = match(x, side, step, window, count)
    for i in range(2):
        expected_index, expected_distance = by_brute_force(x[i, 0], side, step, window, count)
        assert torch.equal(index[i], expected_index)
        assert torch.allclose(distance[i], expected_distance, atol=1e-12)


def test_the_reference_comes_first_even_where_all_blocks_are_equal():
    index, distance = match(torch.full((1, 1, 20, 20), 0.3), 8, 3, 15, 4)
    assert index[0, :, 0].tolist() == [13 * i + j for i in (0, 3, 6, 9, 12) for j in (0, 3, 6, 9, 12)]
    assert float(distance.abs().max()) < 1e-6


def test_distances_of_bright_images_keep_their_precision():
    x = images(1, 1, 24, 24).float()
    index, distance = match(x, 8, 3, 15, 4)
    index_bright, distance_bright = match(x + 100, 8, 3, 15, 4)
    assert float((index == index_bright).double().mean()) > 0.99
    assert torch.allclose(distance, distance_bright, rtol=1e-3)


def test_an_image_without_a_block_is_refused():
    with pytest.raises(ValueError, match="no block of 8 x 8 pixels fits in images of \\(7, 20\\)"):
        match(images(1, 1, 7, 20), 8, 3, 39, 4)


def test_blocks_are_named_by_their_place():
    x = images(1, 1, 6, 9)
    assert torch.equal(patches(x[0, 0], 3), torch.nn.functional.unfold(x, 3)[0].T)


@pytest.mark.parametrize(
    ("shape", "side", "step", "window"), [((30, 13), 5, 2, 7), ((9, 40), 8, 3, 39), ((60, 60), 8, 3, 21)]
)
def test_every_window_holds_as_many_candidates_as_is_said(shape, side, step, window):
    x = images(1, 1, *shape)
    count = candidates(x, side, step, window)
    assert bool(match(x, side, step, window, count)[1].isfinite().all())


def test_accumulate_adds_rows_that_share_a_place():
    table = torch.zeros(3, 2)
    accumulate(table, torch.tensor([2, 0, 2]), torch.tensor([[1.0, 2], [3, 4], [5, 6]]))
    assert table.tolist() == [[3, 4], [0, 0], [6, 8]]


def test_aggregate_is_a_weighted_mean():
    side, shape = 3, (5, 6)
    window, weight, estimates = images(side), images(2, 12, seed=1), images(2, side**2, 12, seed=2)
    weights_in_block = torch.outer(window, window).flatten()[:, None]
    mean = aggregate(estimates * weight[:, None] * weights_in_block, weight, shape, window)
    for image in range(2):
        for i in range(shape[0]):
            for j in range(shape[1]):
                total = norm = 0.0
                for position in range(12):
                    u, v = i - position // 4, j - position % 4
                    if 0 <= u < side and 0 <= v < side:
                        w = float(weight[image, position] * window[u] * window[v])
                        total += w * float(estimates[image, u * side + v, position])
                        norm += w
                assert float(mean[image, 0, i, j]) == pytest.approx(total / norm, rel=1e-12)
