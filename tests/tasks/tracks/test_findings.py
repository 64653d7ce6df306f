"""A track of findings has targets on the grid of its images, and the truth has the best scores."""

import numpy as np
import pytest
import torch
from every_track import TRACKS, opened, sample

from bench.contract.method import Estimate
from bench.contract.task import SPLITS
from bench.data.measurements import Measured, TrainingStream, targets
from bench.evaluation.scores import mean, recorder, scorer


@pytest.mark.parametrize("split", SPLITS)
def test_a_track_of_findings_has_targets_on_the_grid_of_the_image(open_track, split):
    image = sample(open_track.id, split)
    if not open_track.classes:
        assert image.target is None
        return
    found = image.target["map"]
    assert found.dtype == torch.float64
    assert found.shape == (open_track.classes, *image.x.shape[1:])
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    stream = TrainingStream(open_track, opened(open_track.id), 0, 2)
    stacked = targets([stream[0], stream[1]])
    assert {name: value.shape[1:] for name, value in stacked.items()} == {
        name: value.shape for name, value in image.target.items()
    }
    assert stacked["map"].dtype == torch.float32


@pytest.mark.parametrize("open_track", [name for name, track in TRACKS.items() if track.classes], indirect=True)
def test_the_truth_has_the_best_scores_of_a_finding_and_an_empty_one_lower_ones(open_track):
    track = open_track
    data = Measured(track, opened(track.id), "test", 12)
    score, record = scorer(track), recorder(track)
    found = {}
    for kind, factor in (("true", 1.0), ("empty", 0.0)):
        facts = []
        for image in (data[index] for index in range(len(data))):
            finding = factor * peaked(image.target["map"])[None]
            facts.append((image.id, Estimate(finding=finding), image.x[None], {}, targets([image])))
        scores, records = [score(*one) for one in facts], [record(*one) for one in facts]
        found[kind] = {m.name: mean(m, scores, records) for m in track.metrics if m.of == "finding"}
    for metric in (metric for metric in track.metrics if metric.of == "finding"):
        best, empty = found["true"][metric.name], found["empty"][metric.name]
        assert (best > empty) == metric.higher_is_better, metric.name
        if metric.higher_is_better:
            assert best > 0.8, (metric.name, best)


def peaked(maps):
    """Maps that are above one half where the truth is, and largest in the middle of it."""
    from scipy.ndimage import distance_transform_edt

    inside = np.stack([distance_transform_edt(one) for one in maps.numpy()])
    return torch.from_numpy(0.6 * (inside > 0) + 0.4 * inside / inside.max().clip(min=1))
