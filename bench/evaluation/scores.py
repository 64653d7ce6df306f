"""Scores of images and of sets of images.

A score of a set (an area under a curve) is no mean over images. Each image is given a share of it, so that the mean of
the shares is the score and their spread its uncertainty; boards then treat them as any score of images. With θ the
score of all n images and θ_(i) without image i, the share of image i is its centred jackknife value,

    s_i = θ + (n − 1) (θ_(·) − θ_(i)),       θ_(·) the mean of the θ_(i).

The variance of a mean of s_i is the jackknife's variance of θ; summed over groups it counts images of one group as
dependent, as for any score (`bench.leaderboard.statistics`). A bootstrap over groups would need the records of all
images, which an entry doesn't hold, and says nothing of seeds. A test compares the two on sets of 60 groups: the
interval of a board is 4 to 13 % wider than the percentiles of the bootstrap.

B. Efron, C. Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from bench.contract import registry
from bench.contract.method import Estimate
from bench.contract.task import Metric, Track
from bench.errors import BenchError
from bench.evaluation.curves import CurvePoint

Target = Mapping[str, Tensor] | None
Score = Callable[..., dict[str, float]]

LEVEL = 0.9  # nominal coverage of the intervals that standard deviations make


@dataclass
class Confidence:
    """Scores of the standard deviations of a track's estimates, by the module `Track.calibration`.

    A factor times the deviation is half of an interval that covers a share ``level`` of the values of validation
    ``images``; there are factors for several categories of values.
    """

    track: Track
    calibration: Any = None  # what the module made of validation images
    images: int = 0
    level: float = LEVEL
    per_image: dict[str, dict[str, float]] = field(default_factory=dict)

    def facts(self, estimate: Estimate, x: Tensor, params: Mapping[str, Tensor]) -> Any:
        """The facts of one validation image, of which the factors are made."""
        return self.call("facts", estimate, x, params)

    def calibrate(self, facts: Sequence[Any]) -> None:
        self.images, self.calibration = len(facts), self.function("calibrate")(facts, level=self.level)

    @property
    def factors(self) -> list[float]:
        return list(self.calibration.factors)

    def scores(self, estimate: Estimate, x: Tensor, params: Mapping[str, Tensor]) -> dict[str, float]:
        """The scores of one image; one that is not finite, as the width by an infinite factor, is absent."""
        found = self.call("scores", estimate, x, params, calibration=self.calibration, level=self.level)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def call(self, name: str, estimate: Estimate, x: Tensor, params: Mapping[str, Tensor], **more: Any) -> Any:
        """By the conventions of the track's first score of an image."""
        metric = next(one for one in (*self.track.metrics, Metric("plain", "", True)) if one.of == "image")
        image, std = (double(part) for part in (estimate.image, estimate.std))
        return self.function(name)(image, std, x, params, **metric.options, **more)

    def function(self, name: str) -> Any:
        return registry.resolve(f"{self.track.calibration}:{name}")


def scorer(track: Track) -> Score:
    """The scores of one image by a function of ``(image id, estimate, x, params, target)``, without scores of sets.

    A metric of a part that the estimate lacks (a finding, a standard deviation) is absent from the scores.
    """
    functions = [(metric, registry.resolve(metric.function)) for metric in track.metrics if not metric.record]

    def score(
        name: str, estimate: Estimate, x: Tensor, params: Mapping[str, Tensor], target: Target = None
    ) -> dict[str, float]:
        found = {}
        for metric, function in functions:
            part = of(metric, estimate)
            if part is not None:
                value = float(function(part, truth(metric, x, target), params, **metric.options))
                found[metric.name] = finite(metric, f"image {name}", value)
        return found

    return score


def recorder(track: Track) -> Callable[..., dict[str, Any]]:
    """The facts of one image, by metric, from which scores of sets are made: a function of what `scorer`'s takes."""
    functions = [(metric, registry.resolve(metric.record)) for metric in track.metrics if metric.record]

    def record(
        name: str, estimate: Estimate, x: Tensor, params: Mapping[str, Tensor], target: Target = None
    ) -> dict[str, Any]:
        parts = {metric.name: of(metric, estimate) for metric, _ in functions}
        return {
            metric.name: function(parts[metric.name], truth(metric, x, target), params, **metric.options)
            for metric, function in functions
            if parts[metric.name] is not None
        }

    return record


def of(metric: Metric, estimate: Estimate) -> Tensor | None:
    """The part of an estimate that a metric scores, in double precision; None where the estimate lacks it."""
    return double(getattr(estimate, metric.of))


def double(part: Tensor | None) -> Tensor | None:
    import torch

    return None if part is None else part.detach().to("cpu", torch.float64)


def truth(metric: Metric, x: Tensor, target: Target) -> Any:
    return target if metric.of == "finding" else x


def finite(metric: Metric, what: str, value: float) -> float:
    if not math.isfinite(value):
        raise BenchError(f"the {metric.name} of {what} is {value}, which cannot be averaged.")
    return value


def mean(metric: Metric, scores: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]]) -> float:
    """The score of some images: the mean over them, or the score of their set."""
    if metric.record:
        return of_set(metric, [one[metric.name] for one in records])
    return math.fsum(one[metric.name] for one in scores) / len(scores)


def of_set(metric: Metric, records: Sequence[Any]) -> float:
    value = float(registry.resolve(metric.function)(records))
    return finite(metric, f"{len(records)} images", value)


def shares(track: Track, records: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """For every image its shares of the scores of the set, by metric."""
    found: list[dict[str, float]] = [{} for _ in records]
    for metric in track.metrics:
        if metric.record and all(metric.name in one for one in records):
            kept = jackknife([one[metric.name] for one in records], partial(of_set, metric))
            for image, share in zip(found, kept, strict=True):
                image[metric.name] = share
    return found


def curves_of_set(track: Track, records: Sequence[Mapping[str, Any]]) -> list[CurvePoint]:
    """The curves behind the scores of a set: the functions in ``CURVES`` of a metric's module, from records to values.

    A curve is a dict ``{step: value}``.
    """
    found: dict[str, list[CurvePoint]] = {}
    for metric in track.metrics:
        if metric.record and records and all(metric.name in one for one in records):
            module = importlib.import_module(metric.function.partition(":")[0])
            for name, curve in getattr(module, "CURVES", {}).items():
                values = curve([one[metric.name] for one in records])
                found[name] = [CurvePoint(name, step, time.time(), value) for step, value in values.items()]
    return [point for points in found.values() for point in points]


def of_primary(track: Track, facts: Sequence[tuple[Any, ...]]) -> dict[str, float]:
    """The primary score of images, of a set the shares of them, by the names of the images.

    ``facts`` are the arguments of `scorer`'s function for every image.
    """
    metric = track.primary
    if metric.record:
        record = recorder(track)
        found: Sequence[Mapping[str, float]] = shares(track, [record(*one) for one in facts])
    else:
        score = scorer(track)
        found = [score(*one) for one in facts]
    return {one[0]: scores[metric.name] for one, scores in zip(facts, found, strict=True)}


def jackknife(records: Sequence[Any], score: Callable[[Sequence[Any]], float]) -> list[float]:
    """The centred jackknife values of a score of records, whose mean is the score."""
    whole, n = score(records), len(records)
    if n == 1:
        return [whole]
    without = [score([*records[:i], *records[i + 1 :]]) for i in range(n)]
    centre = math.fsum(without) / n
    return [whole + (n - 1) * (centre - one) for one in without]
