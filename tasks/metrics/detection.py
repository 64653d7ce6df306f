"""Scores of a set of images by the lesions found in them: sensitivity at rates of false positives, and AUROC.

A finding is a map of probabilities (1, classes, H, W). Its candidates are its local maxima, each with its value as
confidence; pixels of one value beside each other, as in a mask, are one candidate in their middle. A candidate hits a
nodule where it lies within the nodule's radius (`SLACK` pixels at the least) of its centre; of several nodules it hits
the nearest. Several candidates in one nodule count once, by the most confident; a candidate in none is a false
positive.

`record` keeps of one image the facts of which the scores of a set are made. The rules and the mean sensitivity at seven
rates (the competition performance metric) follow

A. Setio et al., Validation, comparison, and combination of algorithms for automatic detection of pulmonary nodules in
computed tomography images: the LUNA16 challenge, Medical Image Analysis 42, 2017;
M. Niemeijer et al., On combining computer-aided detection systems, IEEE TMI 30(2), 2011.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tasks.metrics.region import Params

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false positives an image
SLACK = 1.0  # pixels: the centre of a nodule of less than a pixel lies between the pixels
APART = 2  # pixels between candidates, at the least
FAINTEST = 0.01  # probability of a candidate, at the least


class Record(TypedDict):
    """The facts of one image."""

    found: list[float]  # of every nodule the confidence by which it was found, 0 where it was missed
    false: list[float]  # the confidence of every false positive
    highest: float  # the largest probability in the image


def record(finding: Tensor, target: dict[str, Tensor], params: Params) -> Record:
    """The record of one image; ``target["nodules"]`` (1, N, 3): row, column and radius in pixels, radius 0 for none."""
    probability = finding[0].amax(0).numpy()
    nodules = target["nodules"][0].numpy()
    nodules = nodules[nodules[:, 2] > 0]
    places, confidence = candidates(probability)
    found, false = [0.0] * len(nodules), []
    for place, value in zip(places, confidence, strict=True):
        distance = np.hypot(*(nodules[:, :2] - place).T)
        distance[distance > np.maximum(nodules[:, 2], SLACK)] = math.inf
        if len(nodules) and np.isfinite(distance.min()):
            hit = int(distance.argmin())
            found[hit] = max(found[hit], float(value))
        else:
            false.append(float(value))
    return {"found": found, "false": false, "highest": float(probability.max())}


def candidates(probability: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns (n, 2), and confidence (n,), of the local maxima, at the borders too; a flat map has none."""
    from scipy.ndimage import label, maximum_filter
    from skimage.feature import peak_local_max

    places = peak_local_max(probability, min_distance=APART, threshold_abs=FAINTEST, exclude_border=False)
    plateaus, _ = label(probability == maximum_filter(probability, 3), np.ones((3, 3)))
    numbers = dict.fromkeys(plateaus[tuple(places.T)].tolist())  # in the order of their confidence
    places = np.array([middle(plateaus == number) for number in numbers], dtype=int).reshape(-1, 2)
    return places, probability[tuple(places.T)]


def middle(region: NDArray[np.bool_]) -> NDArray[Any]:
    """The pixel of a region that is nearest to its centre of mass."""
    pixels = np.argwhere(region)
    return pixels[np.square(pixels - pixels.mean(0)).sum(1).argmin()]


def sensitivity_at(records: Iterable[Record], rate: float) -> float:
    """The share of the nodules found by the threshold that lets through at most ``rate`` false positives an image.

    1 where there are no nodules: none was missed.
    """
    records = list(records)
    found = np.array([value for one in records for value in one["found"]])
    false = np.sort([value for one in records for value in one["false"]])[::-1]
    allowed = math.floor(rate * len(records))
    threshold = float(false[allowed]) if allowed < len(false) else 0.0
    return float((found > threshold).mean()) if len(found) else 1.0


def cpm(records: Sequence[Record]) -> float:
    """Mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives an image, in [0, 1]."""
    return sum(sensitivity_at(records, rate) for rate in RATES) / len(RATES)


def sensitivity(records: Sequence[Record]) -> float:
    """Sensitivity at one false positive an image."""
    return sensitivity_at(records, 1.0)


def froc(records: Sequence[Record]) -> tuple[NDArray[Any], NDArray[Any]]:
    """False positives an image and sensitivity, (n,) each, at every threshold from the strictest to none."""
    found = np.array([value for one in records for value in one["found"] if value > 0])
    false = np.array([value for one in records for value in one["false"]])
    thresholds = np.unique(np.concatenate([found, false]))[::-1]
    nodules = sum(len(one["found"]) for one in records)
    rates = [0.0, *((false >= one).sum() / len(records) for one in thresholds)]
    shares = [0.0, *((found >= one).sum() / max(nodules, 1) for one in thresholds)]
    return np.array(rates), np.array(shares)


def froc_curve(records: Sequence[Record]) -> dict[int, float]:
    """Sensitivity by the number of false positives in all images."""
    rates, shares = froc(records)
    return {round(rate * len(records)): float(share) for rate, share in zip(rates, shares, strict=True)}


CURVES = {"froc": froc_curve}


def auroc(records: Sequence[Record]) -> float:
    """Area under the ROC curve of slices with and without a nodule by their largest probability.

    It is the probability that a slice with a nodule has a larger value than one without (Mann and Whitney's statistic);
    1/2 where either kind is missing.
    """
    from scipy.stats import rankdata

    sick = np.array([len(one["found"]) > 0 for one in records])
    ranks = rankdata([one["highest"] for one in records])
    positive, negative = int(sick.sum()), int((~sick).sum())
    if not positive or not negative:
        return 0.5
    return float((ranks[sick].sum() - positive * (positive + 1) / 2) / (positive * negative))
