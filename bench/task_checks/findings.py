"""The targets of a finding lie on the grid of the images, and the truth has the best scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from bench.contract.method import Estimate
from bench.contract.task import SPLITS, Sample
from bench.contract.toy_trial import Breach
from bench.data.measurements import Measured, targets
from bench.evaluation.scores import mean, recorder, scorer
from bench.task_checks.opened import Opened

SCORED = 12  # test images, at most
LEAST_OF_THE_TRUTH = 0.8  # its score, where higher is better


def has_targets_on_the_grid(opened: Opened) -> None:
    track = opened.track
    *_, stacked = opened.training_batch()
    for split in SPLITS:
        image = opened.sample(split)
        target = truth(image)
        found = target["map"]
        expected = (track.classes, *image.x.shape[1:])
        if found.shape != expected or found.dtype != torch.float64:
            raise Breach(
                f'target["map"] of {image.id} is {tuple(found.shape)} in {found.dtype}, expected {expected} in float64'
            )
        if not 0 <= float(found.min()) <= float(found.max()) <= 1:
            raise Breach(f'target["map"] of {image.id} leaves [0, 1]')
        shapes = {name: tuple(value.shape) for name, value in target.items()}
        trained = {name: tuple(value.shape[1:]) for name, value in stacked.items()}
        if shapes != trained:
            raise Breach(f"the target of {image.id} has the shapes {shapes}, but the ones of training {trained}")
    if stacked["map"].dtype != torch.float32:
        raise Breach(f'target["map"] of training samples is {stacked["map"].dtype}, expected float32')


def scores_the_truth_best(opened: Opened) -> None:
    """Scores of the true finding are good, and better than the ones of an empty finding."""
    track = opened.track
    data = Measured(track, opened.problem, "test", SCORED)
    images = [data[index] for index in range(len(data))]
    score, record = scorer(track), recorder(track)

    def scores(factor: float) -> dict[str, float]:
        facts = []
        for image in images:
            params = {name: value[None] for name, value in image.params.items()}
            estimate = Estimate(finding=factor * peaked(truth(image)["map"])[None])
            facts.append((image.id, estimate, image.x[None], params, targets([image])))
        found, records = [score(*one) for one in facts], [record(*one) for one in facts]
        return {metric.name: mean(metric, found, records) for metric in track.metrics if metric.of == "finding"}

    true, empty = scores(1.0), scores(0.0)
    for metric in (metric for metric in track.metrics if metric.of == "finding"):
        best, least = true[metric.name], empty[metric.name]
        if best == least or (best > least) != metric.higher_is_better:
            raise Breach(f"{metric.name} of the true finding is {best:.4g}, no better than {least:.4g} of an empty one")
        if metric.higher_is_better and best <= LEAST_OF_THE_TRUTH:
            raise Breach(f"{metric.name} of the true finding is {best:.4g}, expected more than {LEAST_OF_THE_TRUTH}")


def truth(image: Sample) -> Mapping[str, Tensor]:
    """The target of an image."""
    if image.target is None or "map" not in image.target:
        raise Breach(f'{image.id} has no target["map"], but the track declares classes')
    return image.target


def peaked(maps: Tensor) -> Tensor:
    """Maps that are above one half where the truth is, and largest in the middle of it."""
    from scipy.ndimage import distance_transform_edt

    inside = np.stack([distance_transform_edt(one) for one in maps.numpy()])
    return torch.from_numpy(0.6 * (inside > 0) + 0.4 * inside / inside.max().clip(min=1))
