"""Dice and surface distance against torchmetrics and a loop over all pairs of border pixels."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torchmetrics.functional.segmentation import dice_score

from tasks.metrics.segmentation import dice, surface_distance

EMPTY, FULL = torch.zeros(1, 1, 7, 9).double(), torch.ones(1, 1, 7, 9).double()


def at_border():
    mask = EMPTY.clone()
    mask[..., :2, :3] = 1
    return mask


def random_masks():
    rng = np.random.default_rng(0)
    return [torch.from_numpy((rng.random((1, 1, 7, 9)) < share).astype(float)) for share in (0.1, 0.3, 0.5, 0.9)]


MASKS = [EMPTY, FULL, at_border(), *random_masks()]


def brute_border(mask):
    """Pixels of the mask with one of four neighbours, or the outside of the image, outside of it."""
    inside = {tuple(place) for place in np.argwhere(mask).tolist()}
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    return [place for place in inside if any((place[0] + a, place[1] + b) not in inside for a, b in steps)]


def brute_distance(a, b):
    first, second = (brute_border(one[0, 0].numpy() > 0.5) for one in (a, b))
    if not first or not second:
        return 0.0 if not first and not second else math.hypot(*a.shape[2:])
    there = [min(math.dist(p, q) for q in second) for p in first]
    back = [min(math.dist(p, q) for p in first) for q in second]
    return (sum(there) + sum(back)) / (len(there) + len(back))


@pytest.mark.parametrize(("a", "b"), list(product(MASKS, MASKS)))
def test_scores_are_those_of_independent_implementations(a, b):
    target = {"map": b}
    assert surface_distance(a, target, {}) == pytest.approx(brute_distance(a, b))
    found = dice(a, target, {})
    if a.any() or b.any():
        expected = dice_score(a.long(), b.long(), num_classes=1, include_background=True, input_format="one-hot")
        assert found == pytest.approx(float(expected), abs=1e-6)
    else:
        assert found == 1.0


def test_a_probability_counts_where_it_is_more_than_half():
    finding = 0.4 * FULL + 0.2 * at_border()
    assert dice(finding, {"map": at_border()}, {}) == 1
    assert dice(0.5 * FULL, {"map": at_border()}, {}) == 0


def test_classes_are_scored_one_by_one_or_by_their_mean():
    finding, truth = torch.cat([FULL, EMPTY], 1), {"map": torch.cat([FULL, FULL], 1)}
    assert [dice(finding, truth, {}, channel=k) for k in (0, 1)] == [1, 0]
    assert dice(finding, truth, {}) == 0.5
    assert surface_distance(finding, truth, {}) == pytest.approx(math.hypot(7, 9) / 2)


def test_maps_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"got \(1, 1, 7, 9\) and \(1, 2, 7, 9\)"):
        dice(FULL, {"map": torch.cat([FULL, FULL], 1)}, {})
