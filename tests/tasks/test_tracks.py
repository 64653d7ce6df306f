"""The contract of a track, put to every track that is found; those on real data where the data are."""

import inspect
import json
import subprocess
import sys
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
import torch
from deepinv import physics as models

from bench.contract import registry
from bench.contract.method import Estimate
from bench.contract.operators import Blind, direct
from bench.contract.space import Choice, Float, Int
from bench.contract.task import SPLITS, Problem, Sample, Track
from bench.data.manifest import check
from bench.data.measurements import (
    Measured,
    TrainingStream,
    collate,
    collate_training,
    digest,
    on_device,
    targets,
)
from bench.evaluation.scores import mean, recorder, scorer
from bench.runs import key

TRACKS = {track.id: track for track in registry.all_tracks()}
EXACT = 1e-4  # relative, of single precision sums
CPU = torch.device("cpu")
NOISE_MODELS = {
    "gaussian": models.GaussianNoise,
    "poisson": models.PoissonNoise,
    "impulse": models.SaltPepperNoise,
    "speckle": models.GammaNoise,
    "laplace": models.LaplaceNoise,
    "rician": models.RicianNoise,
    "photon": models.LogPoissonNoise,
    "none": models.ZeroNoise,
}
LARGEST_RESIDUAL = 0.6  # of a measurement, by noise and by the finer grid it was made on


@cache
def lacking(name: str) -> bool:
    return any(problem.endswith("is missing") for problem in check(name))


@cache
def opened(name: str) -> Problem:
    track = TRACKS[name]
    return registry.load_task(track.task).open(track)


@cache
def sample(name: str, split: str) -> Sample:
    return Measured(TRACKS[name], opened(name), split, 1)[0]


def batched(name: str, split: str = "test"):
    """A sample as methods meet it: x in single precision, y, and the physics."""
    _, x, y, params = collate([sample(name, split)])
    return x.float(), y, opened(name).physics(params, CPU)


@pytest.fixture(params=TRACKS)
def track(request) -> Track:
    return TRACKS[request.param]


@pytest.fixture(params=TRACKS)
def open_track(request) -> Track:
    """A track whose data are on this machine."""
    track = TRACKS[request.param]
    missing = [name for name in track.data if lacking(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: set BENCH_DATA or run `bench data get`")
    return track


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


def test_the_measurement_of_an_image_has_the_same_bits_again(open_track):
    again = Measured(open_track, registry.load_task(open_track.task).open(open_track), "test", 1)[0]
    first = sample(open_track.id, "test")
    assert (digest(again.x), digest(again.y)) == (digest(first.x), digest(first.y))
    assert {key: digest(value) for key, value in again.params.items()} == {
        key: digest(value) for key, value in first.params.items()
    }


def test_physics_maps_the_image_to_what_was_measured(open_track):
    x, y, physics = batched(open_track.id)
    exact = physics.A(x)
    assert exact.shape == y.shape
    assert exact.dtype == y.dtype
    measured = y != 0  # a field is masked to the brain
    assert float((exact - y)[measured].norm() / y.norm()) < LARGEST_RESIDUAL
    assert isinstance(physics.noise_model, NOISE_MODELS[open_track.noise])


def test_physics_has_its_adjoint(open_track):
    x, y, physics = batched(open_track.id)
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) for tensor in (x, y))
    adjoint = physics.A_adjoint(v)
    assert (adjoint.shape, adjoint.dtype) == (x.shape, x.dtype)
    forward = physics.A(u)
    left, right = (float((a.conj() * b).real.double().sum()) for a, b in ((forward, v), (u, adjoint)))
    assert abs(left - right) <= EXACT * float(forward.norm() * v.norm())


def test_physics_is_fresh_and_is_not_changed_by_its_use(open_track):
    _, _, _, params = collate([sample(open_track.id, "test")])
    x, _, _ = batched(open_track.id)
    problem = opened(open_track.id)
    first, second = problem.physics(params, CPU), problem.physics(params, CPU)
    assert first is not second
    before = second.A(x)
    direct(first.A(2 * x), first)
    assert torch.equal(second.A(x), before)


def test_direct_can_be_scored_and_a_better_image_scores_better(open_track):
    x, y, physics = batched(open_track.id)
    image = sample(open_track.id, "test")
    x_hat = direct(y, physics)
    assert x_hat.shape == x.shape
    score = scorer(open_track)
    params = {key: value[None] for key, value in image.params.items()}
    scores = score(image.id, Estimate(x_hat), image.x[None], params)
    nearer = image.x[None] + 0.1 * (x_hat.double() - image.x[None])
    better = score(image.id, Estimate(nearer), image.x[None], params)
    of_images = [metric for metric in open_track.metrics if metric.of == "image"]
    assert list(scores) == [metric.name for metric in of_images]
    for metric in of_images:
        gain = better[metric.name] - scores[metric.name]
        assert (gain if metric.higher_is_better else -gain) > 0, metric.name


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


@pytest.mark.parametrize("name", [name for name, track in TRACKS.items() if track.blind])
def test_a_blind_physics_does_not_hold_the_kernel(name):
    """Nor do the params: two images of other kernels meet operators that hold the same, and y is not A x."""
    problem, first = opened(name), sample(name, "test")
    x, y, physics = batched(name)
    assert first.params == {}
    assert isinstance(physics, Blind)
    tensors = [value for value in vars(physics).values() if isinstance(value, torch.Tensor)]
    assert all(tensor.numel() <= 1 for tensor in (*tensors, *physics.buffers(), *physics.parameters()))
    assert torch.equal(physics.A(x), x)
    image = problem.images["test"].load(first.id)
    blurred = [problem.measure(image, np.random.default_rng(seed))[1] for seed in range(2)]
    sigma = float(physics.noise_model.sigma)
    assert float((blurred[0] - blurred[1]).std()) > 2 * sigma * 2**0.5
    assert float((y - x).std()) > 2 * sigma


@pytest.mark.parametrize("name", [name for name, track in TRACKS.items() if track.blind])
@pytest.mark.parametrize("method", ["direct", "tv", "wavelet", "nlm", "shock_filter", "blind_deconvolution"])
def test_methods_run_on_a_blind_track(name, method):
    x, y, physics = batched(name)
    made = registry.load_method(method)
    assert made.supports(TRACKS[name]) is None
    with torch.no_grad():
        x_hat = made()(y, physics)
    assert x_hat.shape == x.shape
    assert bool(torch.isfinite(x_hat).all())
    assert scorer(TRACKS[name])("", Estimate(x_hat), x.double(), {})["psnr"] > 15
