"""A track is plain data with a hash of its scored fields, and declares groups of images and ranges for `direct`."""

import inspect
import json
import subprocess
import sys
from dataclasses import asdict, replace

import torch
from every_track import TRACKS, batched, opened, sample

from bench.contract import registry
from bench.contract.operators import direct
from bench.contract.space import Choice, Float, Int
from bench.runs import key


def test_tracks_are_found():
    assert len(TRACKS) >= 7
    assert {track.task for track in TRACKS.values()} == set(registry.tasks())


def test_a_track_is_plain_data(track):
    assert json.loads(json.dumps(asdict(track)))["name"] == track.name
    assert track.version >= 1
    assert len({metric.name for metric in track.metrics}) == len(track.metrics) >= 1
    assert all(metric.name == metric.name.lower() for metric in track.metrics)
    assert all(callable(registry.resolve(metric.function)) for metric in track.metrics)
    assert all(callable(registry.resolve(metric.record)) for metric in track.metrics if metric.record)
    assert (track.classes > 0) == any(metric.of == "finding" for metric in track.metrics)
    assert any(metric.of == "image" for metric in track.metrics)  # by which an inner method is tuned
    assert min(track.budget.trials, track.budget.images, track.budget.steps, track.budget.batch) >= 1
    assert track.budget.seconds > 0


def test_the_hash_of_scored_fields_follows_what_is_declared(track):
    metric = replace(track.primary, options={**track.primary.options, "invented": 1})
    others = [
        replace(track, version=track.version + 1),
        replace(track, options={**track.options, "invented": 1}),
        replace(track, metrics=(metric, *track.metrics[1:])),
    ]
    assert len({key.scored(one, learned=True) for one in (track, *others)}) == 4


def test_hashes_of_scored_fields_are_the_same_in_another_process():
    code = (
        "from bench.contract import registry\nfrom bench.runs.key import scored\n"
        "for track in registry.all_tracks(): print(track.id, scored(track, True))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert dict(line.split() for line in shown.splitlines()) == {
        n: key.scored(track, True) for n, track in TRACKS.items()
    }


def test_the_defaults_of_direct_are_those_of_the_operator(open_track):
    _, _, physics = batched(open_track.id)
    taken = list(inspect.signature(physics.direct).parameters.values())[1:] if hasattr(physics, "direct") else []
    assert dict(open_track.direct_defaults) == {parameter.name: parameter.default for parameter in taken}
    assert set(open_track.direct_space) == set(open_track.direct_defaults)


def test_a_group_that_holds_several_images_is_declared(open_track):
    """Crops of a scene and slices of a stack are no independent images; phantoms and photographs of BSD68 are."""
    images = opened(open_track.id).images["test"]
    groups = {images.group_of(name) for name in images.ids}
    expected = {"aapm12": 1, "brain-istanet": 2, "siat31": 4, "bsd68": 68, "qsm2016": 1, "totalseg": 1, "msd-lung10": 6}
    known = [expected[name] for name in open_track.data if name in expected]
    assert len(groups) == (known[0] if known else len(images))
    assert sample(open_track.id, "test").group == images.group_of(images.ids[0])


def test_direct_takes_the_hyperparameters_that_the_track_declares(open_track):
    x, y, physics = batched(open_track.id, "val")
    for name, values in open_track.direct_space.items():
        match values:
            case Choice(options):
                tried = options
            case Float(low, high) | Int(low, high):
                tried = (low, high)
        found = [direct(y, physics, **{name: value}) for value in tried]
        assert all(x_hat.shape == x.shape and bool(torch.isfinite(x_hat).all()) for x_hat in found)
        assert not torch.equal(found[0], found[-1]), f"{name} changes nothing"
