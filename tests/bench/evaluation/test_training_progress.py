"""A training tells how far it is: its stage and pace, its curves, and pictures of a validation image."""

import re

import pytest
import torch
from PIL import Image
from toy_trainings import Drawing, train, training_of

from bench.contract.task import Budget
from bench.evaluation.curves import Look
from bench.evaluation.train import pace


def test_a_training_tells_its_stage(network):
    stages = []
    train(network(), report=stages.append)
    assert re.fullmatch(r"training 5/10, [\d.e+]+ steps/s, \d+ s left", stages[4])
    assert stages[-1].startswith("training 10/10, ")


def test_the_pace_is_that_of_the_last_steps():
    assert pace([7.0], 10) == ""
    assert pace([10.0, 10.5, 11.0], 9) == ", 2 steps/s, 4 s left"


@pytest.mark.parametrize(("steps", "looks"), [(1, 1), (10, 5), (350, 5), (4_000, 20), (10_000, 20), (20_000, 20)])
def test_long_trainings_look_twenty_times_at_validation_images_and_short_ones_five_times(steps, looks):
    interval = Budget(steps=steps).look_every
    assert len([step for step in range(1, steps + 1) if step % interval == 0 or step == steps]) == looks


def test_every_point_of_a_curve_is_given_when_it_is_there(network):
    points = []
    _, curves = train(network(), point=points.append)
    assert points == list(curves)
    assert [point.step for point in points if point.name == "val_psnr"] == [2, 4, 6, 8, 10]


def test_a_look_at_the_first_validation_image_is_a_picture_and_moves_no_weight(tmp_path):
    given = []
    weights, _, curves = training_of(Drawing)
    again, _, curves_again = training_of(Drawing, partial=tmp_path / "0a1b", point=given.append)
    looks = [one for one in given if isinstance(one, Look)]
    assert [(look.name, look.step) for look in looks] == [("val-0", step) for step in (2, 4, 6, 8, 10)]
    assert all(look.path.parent.parent == tmp_path / "0a1b" / "validation" for look in looks)
    for look in looks:
        with Image.open(look.path) as picture:
            assert picture.width > 4 * 160
    assert curves_again == curves
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("error", [OSError("No space left on device"), ValueError("a picture of nothing")])
def test_a_look_that_cannot_be_drawn_costs_the_training_nothing(network, tmp_path, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("bench.evaluation.train.save_look", fail)
    record, _ = train(network(), partial=tmp_path / "0a1b")
    assert record["steps"] == 10
