"""A frozen observer is what its manifest says, and reads what tracks measure for it."""

import hashlib
import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from bench.contract import registry
from bench.data.measurements import Measured, collate
from bench.errors import BenchError
from bench.observation.observe import seen
from tasks.observers import network as module
from tasks.observers.network import FOLDER, ObserverNetwork, frozen
from tasks.observers.train import first_findings, loss
from tasks.scanners.mri import Scanner

WEIGHTS = sorted(path.stem for path in FOLDER.glob("*.npz"))
JUDGED = {track.id: track for track in registry.all_tracks() if track.observer is not None}
LARGEST = 1 << 20  # bytes of weights in a repository


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_the_ones_of_their_manifest_and_small(name):
    data, declared = (FOLDER / f"{name}.npz").read_bytes(), json.loads((FOLDER / f"{name}.json").read_text())
    assert hashlib.sha256(data).hexdigest() == declared["sha256"]
    assert len(data) < LARGEST
    assert len(declared["commit"]) == 40  # of clean code
    assert declared["command"].endswith(declared["track"].partition(":")[0])
    track = registry.track(declared["track"])
    assert declared["track_version"] == track.version
    assert set(declared["scores"]) == {metric.name for metric in track.metrics if metric.of == "finding"}


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_network_finds_what_it_found_when_it_was_frozen(name):
    declared = json.loads((FOLDER / f"{name}.json").read_text())
    track = registry.track(declared["track"])
    problem = registry.load_task(track.task).open(track)
    found = first_findings(frozen(name), track, problem)
    assert {image: pytest.approx(float(value.sum()), rel=1e-3) for image, value in found.items()} == declared["sum"]


def test_other_bytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    for suffix in (".npz", ".json"):
        (tmp_path / f"nodules{suffix}").write_bytes((FOLDER / f"nodules{suffix}").read_bytes())
    assert frozen("nodules").last.bias.requires_grad is False
    (tmp_path / "nodules.npz").write_bytes((FOLDER / "nodules.npz").read_bytes()[:-1] + b"x")
    with pytest.raises(BenchError, match=r"nodules\.npz is not the file of its manifest"):
        frozen("nodules")
    with pytest.raises(BenchError, match=r"cannot read .*tissue\.npz"):
        frozen("tissue")


def test_the_finding_depends_on_neither_unit_nor_phase_and_takes_any_size():
    network = ObserverNetwork(3).eval()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, 22, 18, generator=generator)
    found = network(x)
    assert found.shape == (2, 3, 22, 18)
    turned = torch.view_as_real(torch.complex(x[:, 0], x[:, 1]) * 3e-4j).movedim(-1, 1)
    assert torch.allclose(network(turned), found, atol=1e-6)
    assert bool(torch.isfinite(network(torch.zeros(1, 1, 16, 16))).all())
    assert torch.allclose(network(x[:1]), found[:1], atol=1e-6)  # of each image by itself


def test_the_loss_is_least_at_the_truth():
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:4, 2:4] = 1
    assert float(loss(truth, truth)) < 1e-6 < float(loss(torch.full_like(truth, 0.5), truth))
    assert torch.isfinite(loss(1 - truth, truth))


@pytest.mark.parametrize("name", JUDGED)
def test_what_an_observer_reads_is_measured_as_the_track_measures(name):
    track = JUDGED[name]
    other = seen(track.observer)
    assert other.classes == len(frozen(track.observer.weights).last.bias)
    ours, theirs = (registry.load_task(one.task).open(one) for one in (track, other))
    (_, x, y, params), (_, x_, y_, params_) = (
        collate([Measured(one, problem, "test", 1)[0]]) for one, problem in ((track, ours), (other, theirs))
    )
    assert (x.shape, y.shape, set(params)) == (x_.shape, y_.shape, set(params_))
    first, second = ours.physics(params, torch.device("cpu")), theirs.physics(params, torch.device("cpu"))
    assert torch.equal(first.A(x.float()), second.A(x.float()))
    scanner = import_module(f"tasks.scanners.{track.task}").Scanner(track.options)
    arrays = theirs.images["test"].load(theirs.images["test"].ids[0])
    ours_drawn = ours.measure(scanner.without_noise(arrays), np.random.default_rng(0))
    assert torch.equal(ours_drawn[1], theirs.measure(arrays, np.random.default_rng(0))[1])  # the same noise too
    assert track.scored(learned=True) == replace(track, observer=None).scored(learned=True)
    image = [metric.name for metric in other.metrics if metric.of == "image"]
    assert track.primary.name == image[0]
    assert track.primary.options == next(metric.options for metric in other.metrics if metric.name == image[0])


def test_the_brains_that_an_observer_reads_are_the_ones_of_the_track():
    track = registry.track("mri")
    ours, theirs = (registry.load_task(one.task).open(one) for one in (track, seen(track.observer)))
    for index in (0, 3):
        first, second = (problem.images["test"].load(problem.images["test"].ids[index]) for problem in (ours, theirs))
        assert np.array_equal(first["x"], Scanner(track.options).without_noise(second)["x"])
