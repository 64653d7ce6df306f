"""The fields of a contract: groups of images, parts of an estimate, and the scored fields of a track."""

from dataclasses import replace

import pytest
import toy

from bench.contract.task import Images, Metric


def test_an_image_is_a_group_of_its_own_unless_the_split_says_more():
    ids = ("cup-0", "cup-1", "cat-0")
    assert [Images(ids, str).group_of(name) for name in ids] == list(ids)
    grouped = Images(ids, str, lambda name: name.partition("-")[0])
    assert [grouped.group_of(name) for name in ids] == ["cup", "cup", "cat"]


def test_fields_of_later_tracks_leave_the_hashes_of_earlier_ones():
    """A track without a finding has the scored fields that it had before there were findings."""
    fields = toy.MINI.scored(learned=True)
    assert "classes" not in fields
    assert all("record" not in metric for metric in fields["metrics"])
    assert toy.FINDING.scored(learned=True)["classes"] == 1
    assert [m.get("record") for m in toy.FINDING.scored(learned=True)["metrics"]] == [None, "toy:brightest", None, None]


def test_the_images_of_a_track_are_a_track_without_findings():
    images = toy.FINDING.of_images()
    assert [metric.name for metric in images.metrics] == ["psnr", "mae"]
    assert (images.id, images.classes, images.primary.name) == ("toy:finding", 0, "psnr")


def test_a_metric_is_of_a_part_of_an_estimate():
    assert Metric("psnr", "", True).of == "image"
    with pytest.raises(ValueError, match="metric 'dice' is of 'label': expected one of image, finding, std"):
        Metric("dice", "", True, of="label")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"options": {"sigma": 0.2}},
        {"metrics": toy.MINI.metrics[::-1]},
        {"metrics": (replace(toy.MINI.metrics[0], version=2), *toy.MINI.metrics[1:])},
        {"budget": replace(toy.MINI.budget, seconds=1.0)},
        {"direct_defaults": {"cutoff": 1.0}},
        {"denoising": True},
        {"classes": 1},
        {"metrics": (replace(toy.MINI.metrics[0], record="toy:brightest"), *toy.MINI.metrics[1:])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_fields_that_move_a_score_are_scored(change):
    assert replace(toy.MINI, **change).scored(learned=False) != toy.MINI.scored(learned=False)


def test_a_track_that_states_no_training_is_hashed_as_before_it_could():
    fields = toy.MINI.scored(learned=True)
    assert "training" not in fields
    assert "validation" not in fields["budget"]


def test_the_checkpoint_is_chosen_on_the_images_that_tune_unless_more_are_asked_for():
    assert replace(toy.MINI.budget, images=3).validation_images == 3
    assert replace(toy.MINI.budget, images=3, validation=16).validation_images == 16


def test_words_are_not_scored():
    metrics = tuple(replace(metric, unit="furlongs") for metric in toy.MINI.metrics)
    other = replace(toy.MINI, title="Other", citation="Nobody, 1900", split_unit="moon", metrics=metrics)
    assert other.scored(learned=True) == toy.MINI.scored(learned=True)


@pytest.mark.parametrize(
    "change",
    [
        {"training_version": 2},
        {"training": {"phantoms": 1000}},
        {"budget": replace(toy.MINI.budget, validation=16)},
        {"budget": replace(toy.MINI.budget, steps=1)},
        {"budget": replace(toy.MINI.budget, batch=1)},
    ],
)
def test_how_a_track_trains_moves_scores_of_trained_methods_alone(change):
    other = replace(toy.MINI, **change)
    assert other.scored(learned=True) != toy.MINI.scored(learned=True)
    assert other.scored(learned=False) == toy.MINI.scored(learned=False)
