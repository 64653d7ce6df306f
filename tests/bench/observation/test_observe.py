"""An observer that knows the finding judges images by what is left of it in them."""

import json
from dataclasses import replace

import pytest
import torch
import toy

from bench import Method
from bench.contract.method import Estimate
from bench.observation.observe import identity, observe, seen


class Whole(Method):
    def forward(self, y, physics):
        return y


class Blurred(Method):
    def forward(self, y, physics):
        padded = torch.nn.functional.pad(y, (3, 3, 3, 3), mode="replicate")
        return Estimate(image=torch.nn.functional.avg_pool2d(padded, 7, stride=1))


pytestmark = pytest.mark.usefixtures("toys")


def scores(method, **options):
    observer = replace(toy.OBSERVER, options=options) if options else toy.OBSERVER
    found = observe(method, observer, accelerator="cpu", seed=0, report=lambda stage: None)
    means = {
        name: sum(one[name] for one in found.evaluation.per_image.values()) / len(found.evaluation.per_image)
        for name in ("overlap", "psnr")
    }
    return found, means


def test_a_true_image_shows_all_and_a_blurred_or_noisy_one_less():
    whole, best = scores(Whole())
    assert best["overlap"] == 1.0
    assert whole.truth["overlap"] == 1.0
    assert set(whole.truth) == {"overlap", "ordered"}  # of the finding alone
    blurred, less = scores(Blurred())
    assert less["overlap"] < 0.99 < best["overlap"]
    assert less["psnr"] < best["psnr"]
    assert blurred.truth == whole.truth
    assert scores(Whole(), sigma=0.3)[1]["overlap"] < best["overlap"]


def test_images_are_the_ones_of_the_observers_track_in_the_scan_of_the_other():
    track = seen(replace(toy.OBSERVER, options={"sigma": 0.25}))
    assert (track.id, track.options["sigma"]) == ("toy:finding", 0.25)
    found, _ = scores(Whole())
    assert list(found.evaluation.per_image) == [f"test-{i}" for i in range(5)]
    assert found.evaluation.groups["test-0"] == "test-0"


def test_scores_can_be_compared_where_weights_and_images_are_the_same():
    network, other = toy.knowing("0.5"), toy.knowing("0.6")
    own = identity(network, toy.FINDING)
    assert own == identity(toy.knowing("0.5"), toy.FINDING)
    assert own != identity(other, toy.FINDING)
    assert scores(Whole())[0].observer == scores(Blurred())[0].observer
    assert own != identity(network, replace(toy.FINDING, options={"sigma": 0.2}))
    assert own == identity(network, replace(toy.FINDING, title="Other words"))


def test_an_observer_moves_no_score_of_its_track():
    without = replace(toy.MINI, observer=None, region="")
    assert without.scored(learned=True) == toy.MINI.scored(learned=True)
    assert json.dumps(toy.MINI.scored(learned=False))
