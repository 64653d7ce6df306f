"""Every declared metric is a finite number on exact, empty and constant images, by the rules of `tasks.metrics`."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch

from bench.contract import registry
from bench.contract.method import Estimate
from bench.evaluation.scores import mean, recorder, scorer
from tasks.metrics.image import MOST_PSNR, nmse, psnr
from tasks.metrics.qsm import hfen, nrmse

METRICS = {f"{track.id} {metric.name}": (track, metric) for track in registry.all_tracks() for metric in track.metrics}
# One name of each declaration
DISTINCT = {str(metric): name for name, (_, metric) in METRICS.items() if metric.of == "image"}
FINDINGS = {str(metric): name for name, (_, metric) in METRICS.items() if metric.of == "finding"}


def images(track) -> dict[str, torch.Tensor]:
    shape = (1, track.channels, *[24] * track.dims)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return {
        "zero": torch.zeros(shape, dtype=torch.float64),
        "constant": torch.full(shape, 0.1, dtype=torch.float64),
        "noise": noise,
        "tiny": 1e-30 * noise,
        "large": 1e30 * noise,
    }


@pytest.mark.parametrize("name", sorted(DISTINCT.values()))
def test_every_score_is_finite(name):
    track, metric = METRICS[name]
    score = registry.resolve(metric.function)
    found = images(track)
    inside = torch.ones_like(found["zero"])
    inside[..., :4] = 0
    for answer, reference in product(found, found):
        value = score(found[answer], found[reference], {"mask": inside, "tissue": inside}, **metric.options)
        assert isinstance(value, float)
        assert math.isfinite(value), (answer, reference)


@pytest.mark.parametrize("name", sorted(FINDINGS.values()))
def test_every_score_of_a_finding_is_finite(name):
    """Of one image and of a set of two, with empty, full and random findings and targets."""
    track, metric = METRICS[name]
    shape = (1, track.classes, *[24] * track.dims)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    findings = {"empty": 0 * noise, "full": 0 * noise + 1, "noise": noise}
    nodules = {"empty": torch.zeros(1, 2, 3), "full": torch.tensor([[[3.0, 4.0, 2.0], [0.0, 0.0, 0.0]]])}
    targets = [
        {"map": (findings[kind] > 0.5).double(), "nodules": nodules["full" if kind == "noise" else kind].double()}
        for kind in findings
    ]
    one_track = replace(track, metrics=(metric,))
    score, record = scorer(one_track), recorder(one_track)
    for finding, first, second in product(findings.values(), targets, targets):
        for few in ([first], [first, second]):
            facts = [(str(i), Estimate(finding=finding), noise, {}, target) for i, target in enumerate(few)]
            value = mean(metric, [score(*one) for one in facts], [record(*one) for one in facts])
            assert isinstance(value, float)
            assert math.isfinite(value)


@pytest.mark.parametrize("name", sorted(DISTINCT.values()))
def test_an_exact_answer_has_the_best_score(name):
    track, metric = METRICS[name]
    score = registry.resolve(metric.function)
    inside = torch.ones_like(images(track)["zero"])
    for case, x in images(track).items():
        exact = score(x, x, {"mask": inside, "tissue": inside}, **metric.options)
        best = {"dB": MOST_PSNR, "%": 0.0}.get(metric.unit, 1.0 if metric.higher_is_better else 0.0)
        assert exact == pytest.approx(best, abs=1e-9), case


def test_single_precision_stays_below_the_cap():
    x = images(next(track for track in registry.all_tracks() if track.dims == 2 and track.channels == 1))["noise"]
    assert 140 < psnr(x.float().double(), x, {}, data_range=1.0) < MOST_PSNR
    assert psnr(x, x, {}, data_range=1.0) == MOST_PSNR == psnr(0 * x, 0 * x, {}, data_range=255.0)


@pytest.mark.parametrize(("score", "whole"), [(nmse, 1.0), (nrmse, 100.0), (hfen, 100.0)])
def test_a_relative_error_of_an_empty_reference(score, whole):
    zero = torch.zeros(1, 1, 24, 24, dtype=torch.float64)
    params = {"mask": torch.ones_like(zero)}
    other = zero.clone()
    other[..., 12, 12] = 1e-3
    assert score(zero, zero, params) == 0.0
    assert score(other, zero, params) == whole
    assert score(zero, other, params) == pytest.approx(whole)  # an empty answer is as wrong
    if score is not nmse:  # demeaned
        assert score(other, zero + 0.1, params) == whole
        assert score(zero + 0.3, zero + 0.1, params) == 0.0
