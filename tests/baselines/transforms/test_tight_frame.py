"""Learned tight frames: windows by NumPy, tightness after every update, and steps that minimise."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from baselines.chunks import Chunk
from baselines.transforms.tight_frame import (
    INERTIA,
    TightFrame,
    add_windows,
    cosines,
    extend,
    extend_adjoint,
    mean,
    procrustes,
    thresholded_moment,
    windows,
)

SHAPES = [(16, 20), (15, 13), (4, 5), (1, 30), (6, 7, 9), (2, 3, 8)]


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def by_numpy(x, side, spacing=1):
    """All windows of an image with mirrored edges, in columns."""
    reach = side // 2 * spacing
    view = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, reach, mode="symmetric"), [2 * reach + 1] * x.ndim
    )  # (*shape, *window)
    view = view[(..., *[slice(None, None, spacing)] * x.ndim)]
    return view.reshape(x.size, -1).T


def frame(shape, levels, dtype=torch.float64):
    side = 5 if len(shape) == 2 else 3
    return TightFrame(cosines(side, len(shape)).to(dtype), side, levels)


@pytest.mark.parametrize("spacing", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_windows_and_their_means_are_those_of_numpy(shape, spacing, monkeypatch):
    monkeypatch.setattr("baselines.transforms.tight_frame.CHUNK", Chunk(500, 0))
    x = random(*shape)
    expected = by_numpy(x.numpy(), 3, spacing)
    parts = list(windows(x, 3, spacing))
    assert torch.equal(torch.cat([p for _, p in parts], 1), torch.from_numpy(expected))
    assert [row for rows, _ in parts for row in range(rows.start, rows.stop)] == list(range(shape[0]))
    assert torch.allclose(mean(x, 3, spacing).flatten(), torch.from_numpy(expected.mean(0)), atol=1e-14)


@pytest.mark.parametrize("spacing", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_windows_are_added_by_the_adjoint(shape, spacing):
    x, total, inner = random(*shape), torch.zeros_like(extend(random(*shape), 3, spacing)), 0.0
    for rows, p in windows(x, 3, spacing):
        other = random(*p.shape, seed=rows.start + 1)
        add_windows(total, rows, other, 3, spacing)
        inner += float((p * other).sum())
    assert float((x * extend_adjoint(total, x.shape, 3, spacing)).sum()) == pytest.approx(inner, rel=1e-10)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("levels", [0, 1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_tight_after_every_update(shape, levels, dtype, tolerance):
    x, other = random(*shape).to(dtype), random(*shape, seed=1).to(dtype)
    W = frame(shape, levels, dtype)
    for _ in range(4):
        before = [D.clone() for D in W.filters]
        W.learn(x, 1.5)
        assert not any(torch.allclose(D, last, atol=1e-3) for D, last in zip(W.filters, before, strict=True))
        for image in (x, other, torch.ones_like(x)):
            assert float((W.restore(image, 0.0) - image).norm() / image.norm()) < tolerance
        for D in W.filters:
            assert float((D @ D.T - torch.eye(len(D), dtype=dtype)).abs().max()) < tolerance
            if levels:
                assert torch.equal(D[0], torch.full_like(D[0], float(D[0, 0])))


@pytest.mark.parametrize("levels", [0, 2])
@pytest.mark.parametrize("shape", [(24, 17), (8, 9, 7)])
def test_the_objective_is_what_it_says_and_never_rises(shape, levels):
    """After each update: v by the filters before it, compared with Wx by those after it, at each level."""
    x, threshold = random(*shape), 1.2
    W = frame(shape, levels)
    size, objectives = len(W.filters[0]), []
    for _ in range(12):
        image, before, expected = x, list(W.filters), 0.0
        objectives.append(float(W.learn(x, threshold)))
        for level, level_threshold in enumerate(W.thresholds(threshold)):
            p = torch.from_numpy(by_numpy(image.numpy(), W.side, W.side**level).copy())
            c, after = (D[W.kept :] @ p / size**0.5 for D in (before[level], W.filters[level]))
            lam = level_threshold / size**0.5
            v = torch.where(c.abs() > lam, c, 0)
            expected += float((v - after).square().sum() + lam**2 * float((v != 0).sum()))
            image = p.mean(0).reshape(shape)
        assert objectives[-1] == pytest.approx(expected, rel=1e-10)
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(objectives))
    assert objectives[-1] < 0.99 * objectives[0]


def test_the_filters_are_scipys_procrustes_solution():
    """With a few windows more, which hold what the filters were."""
    x, threshold = random(20, 23), 0.8
    W = frame(x.shape, 0)
    p, D = by_numpy(x.numpy(), W.side), W.filters[0].numpy()
    c, root = D @ p, (INERTIA * threshold**2 * x.numel()) ** 0.5
    v = np.where(np.abs(c) > threshold, c, 0)
    W.learn(x, threshold)
    expected, _ = orthogonal_procrustes(np.hstack([p, root * np.eye(len(D))]).T, np.hstack([v, root * D]).T)
    assert np.allclose(W.filters[0].numpy(), expected.T, atol=1e-9)


def test_filters_that_an_image_says_nothing_about_stay():
    W = frame((9, 9), 0)
    W.learn(torch.ones(9, 9, dtype=torch.float64), 0.1)
    assert torch.allclose(W.filters[0], cosines(5, 2), atol=1e-9)


def test_the_kept_mean_leaves_the_best_filters_of_its_complement():
    """Turned among themselves they are worse."""
    x = random(20, 23)
    W = frame(x.shape, 1)
    moment, _ = thresholded_moment(W.filters[0][1:], x, W.side, 1, 0.8)
    W.learn(x, 0.8)
    best = W.filters[0][1:]
    for seed in range(10):
        turn = procrustes(torch.eye(len(best), dtype=x.dtype) + 0.02 * random(len(best), len(best), seed=seed))
        assert float((turn @ best * moment).sum()) < float((best * moment).sum())
    assert float(best.sum(1).abs().max()) < 1e-12


def test_the_hard_threshold_is_the_exact_minimiser():
    """min_v (v − c)² + λ²[v ≠ 0] = min(c², λ²), of every coefficient."""
    x, D, threshold = random(12, 14), cosines(5, 2), 1.3
    moment, norms = thresholded_moment(D, x, 5, 1, threshold)
    c = D.numpy() @ by_numpy(x.numpy(), 5)
    assert float(norms - 2 * (D * moment).sum()) == pytest.approx(np.minimum(c**2, threshold**2).sum(), rel=1e-12)


def test_white_noise_is_white_in_the_windows_of_the_next_level():
    """With variance 1/s."""
    x = random(400, 400)
    p = torch.cat([p for _, p in windows(mean(x, 3, 1), 3, 3)], 1)
    assert torch.allclose(9 * p @ p.T / p.shape[1], torch.eye(9, dtype=p.dtype), atol=0.05)


def test_an_even_side_is_refused():
    with pytest.raises(ValueError, match="odd"):
        TightFrame(cosines(4, 2), 4)
