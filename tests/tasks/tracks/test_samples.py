"""The samples of a track have its shape and precision and the same bits again, and no two splits share an image."""

import pytest
import torch
from every_track import CPU, TRACKS, opened, sample

from bench.contract import registry
from bench.contract.task import SPLITS
from bench.data.measurements import Measured, TrainingStream, collate_training, digest, on_device


def test_splits_share_no_image(open_track):
    images = opened(open_track.id).images
    assert set(images) == set(SPLITS)
    ids = [name for split in SPLITS for name in images[split].ids]
    assert all(len(images[split]) for split in SPLITS)
    assert len(set(ids)) == len(ids)
    assert not any(set("/\\ ") & set(name) for name in ids)  # pictures are named by them
    assert len(images["val"]) >= open_track.budget.validation_images
    groups = [{images[split].group_of(name) for name in images[split].ids} for split in SPLITS]
    assert not any(groups[i] & groups[j] for i, j in ((0, 1), (0, 2), (1, 2)))
    first = {sample(open_track.id, split).x.numpy().tobytes() for split in SPLITS}
    assert len(first) == len(SPLITS)  # phantoms of one seed would be named apart and be alike


@pytest.mark.parametrize("split", SPLITS)
def test_a_sample_has_the_declared_shape_and_precision(open_track, split):
    image = sample(open_track.id, split)
    assert image.x.dtype == torch.float64
    assert image.y.dtype in (torch.float32, torch.complex64)
    assert image.x.shape[0] == open_track.channels
    assert image.x.ndim == 1 + open_track.dims
    assert image.y.shape[0] == open_track.measured_channels
    for tensor in (image.x, image.y, *image.params.values()):
        assert bool(torch.isfinite(tensor).all())
        assert tensor.dtype not in (torch.float64, torch.complex128) or tensor is image.x
    assert float(image.x.std()) > 0
    assert float(image.y.abs().max()) > 0


def test_the_measurement_of_an_image_has_the_same_bits_again(open_track):
    again = Measured(open_track, registry.load_task(open_track.task).open(open_track), "test", 1)[0]
    first = sample(open_track.id, "test")
    assert (digest(again.x), digest(again.y)) == (digest(first.x), digest(first.y))
    assert {key: digest(value) for key, value in again.params.items()} == {
        key: digest(value) for key, value in first.params.items()
    }


@pytest.mark.parametrize(
    ("name", "shift"), [(name, shift) for name, track in TRACKS.items() for shift in track.shifts if not track.data]
)
def test_every_point_of_a_shift_is_another_measurement(name, shift):
    own = sample(name, "test")
    found = {digest(own.y)}
    for point in shift.points:
        if point != shift.own:
            moved = shift.at(TRACKS[name], point)
            image = Measured(moved, registry.load_task(moved.task).open(moved), "test", 1)[0]
            assert image.x.shape == own.x.shape
            assert bool(torch.isfinite(image.y).all())
            found.add(digest(image.y))
    assert len(found) == len(shift.points)


def test_training_samples_make_a_batch(open_track):
    problem = opened(open_track.id)
    stream = TrainingStream(open_track, problem, 0, 2)
    x, y, params, *target = on_device(problem, collate_training([stream[0], stream[1]]), CPU)
    assert len(target) == (open_track.classes > 0)
    assert x.dtype == torch.float32
    assert x.shape[:2] == (2, open_track.channels)
    physics = problem.physics(params, CPU)
    assert physics.A(x).shape == y.shape
    assert physics.A_adjoint(y).shape == x.shape
    assert not torch.equal(y[0], y[1])
