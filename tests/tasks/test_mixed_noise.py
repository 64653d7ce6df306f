"""`denoising:bsd68-mixed`: one training for the noise of all strengths, scored at the three of the literature."""

import numpy as np
import pytest
import torch

from bench.contract import registry
from bench.data.measurements import Measured, TrainingStream, collate_training, on_device

pytestmark = pytest.mark.data("bsd400", "bsd68")
CPU = torch.device("cpu")


def opened():
    track = registry.track("denoising:bsd68-mixed")
    return track, registry.load_task("denoising").open(track)


def test_training_noise_is_uniform_up_to_55_and_the_physics_knows_it():
    track, problem = opened()
    stream = TrainingStream(track, problem, 0, 10**6)
    x, y, params = on_device(problem, collate_training([stream[index] for index in range(160)]), CPU)
    sigma = 255 * params["sigma"]
    assert x.shape == (160, 1, 50, 50)
    assert float(sigma.min()) >= 0
    assert float(sigma.max()) <= 55
    assert float(sigma.mean()) == pytest.approx(27.5, abs=4 * 55 / (12 * 160) ** 0.5)
    assert float(sigma.std()) == pytest.approx(55 / 12**0.5, rel=0.15)
    spread = 255 * (y - x).flatten(1).std(1)
    assert float((spread / sigma)[sigma > 1].sub(1).abs().max()) < 0.08  # of 2,500 pixels: 5 standard errors
    assert torch.equal(problem.physics(params, CPU).noise_model.sigma, params["sigma"])


@pytest.mark.parametrize("split", ["val", "test"])
def test_other_images_have_the_three_published_strengths_in_turn(split):
    track, problem = opened()
    images = Measured(track, problem, split, 6)
    sigmas = [255 * float(images[index].params["sigma"]) for index in range(4)]
    assert sigmas == pytest.approx([15, 25, 50, 15])
    one = images[2]
    assert float((one.y - one.x).std()) == pytest.approx(50 / 255, rel=0.02)


def test_it_shares_its_images_with_the_tracks_of_one_strength():
    _, mixed = opened()
    single = registry.load_task("denoising").open(registry.track("denoising:bsd68-s25"))
    for split in ("train", "val", "test"):
        assert mixed.images[split].ids == single.images[split].ids
    name = mixed.images["test"].ids[0]
    np.testing.assert_array_equal(mixed.images["test"].load(name)["image"], single.images["test"].load(name))
