"""The list of trainings: tracks that are there, scores of the same images, names that can be asked for."""

import pytest

from bench.contract import registry
from bench.errors import BenchError
from tests.gpu_train import watched
from tests.gpu_train.trainings import TRAININGS, chosen, in_short


@pytest.mark.parametrize("training", [*TRAININGS, *map(in_short, TRAININGS)], ids=lambda one: f"{one.name}-{one.track}")
def test_tracks_are_there_and_weights_fit_the_ones_that_follow(training):
    own = registry.track(training.track)
    for track in map(registry.track, training.then):
        assert (track.channels, track.dims, track.denoising) == (own.channels, own.dims, own.denoising)
    assert set(training.published) <= {training.track, *training.then}


def test_the_order_is_the_one_of_importance_and_others_come_by_name():
    names = [one.name for one in chosen([], False, None, {})]
    assert names == ["dncnn", "tnrd", "admm_net", "ista_net", "learned_primal_dual", "unet", "vnet"]
    assert [one.name for one in chosen(["tnrd-s15", "dncnn"], False, None, {})] == ["dncnn", "tnrd-s15"]
    with pytest.raises(BenchError, match="dncnn"):
        chosen(["dnccn"], False, None, {})


def test_steps_are_asked_for_or_those_of_the_stopped_training():
    assert [one.steps for one in chosen(["tnrd", "unet"], False, None, {"unet": 70})] == [None, 70]
    assert [one.steps for one in chosen(["tnrd"], True, None, {})] == [2]
    assert [one.steps for one in chosen(["tnrd"], True, 5, {"tnrd": 7})] == [5]


def test_a_training_without_its_method_or_its_data_is_left_out_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    (unet,) = chosen(["unet"], False, None, {})
    (row,) = watched.train(unet, watched.Place(tmp_path), 0.0, 0.0)
    assert (row.what, row.verdict) == ("left out", "")
    assert "aapm12" in row.found
    monkeypatch.setattr(watched.registry, "methods", dict)
    assert watched.lacking(unet) == "there is no method unet here"
