"""Training images: augmented so that the physics stays true, simulated by its laws, and made no more than once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.contract import registry
from bench.contract.task import Problem
from bench.data.measurements import TrainingStream, collate_training, on_device, single
from tasks.scanners.ct import Scanner as CT
from tasks.scanners.metal import MetalScanner as Metal
from tasks.scanners.mri import Scanner as MRI

CPU = torch.device("cpu")
DATA = pytest.mark.data


def small(name: str, **options) -> tuple[Problem, TrainingStream]:
    """A track on phantoms of a few pixels, and its stream; test images are not read."""
    track = registry.track(name)
    track = replace(track, options={**track.options, **options})
    problem = registry.load_task(track.task).open(track)
    return problem, TrainingStream(track, problem, 0, 1000)


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))


def both(problem: Problem, image) -> tuple[tuple, tuple]:
    """``(x, y, params)`` of one training image by ``measure`` and by ``simulate``."""
    named = image if isinstance(image, dict) else {"image": image}
    double = {key: value.astype(np.result_type(value.dtype, np.float64)) for key, value in named.items()}
    exact = problem.measure(double if isinstance(image, dict) else double["image"], np.random.default_rng(0))
    arrays = {key: single(torch.from_numpy(value))[None] for key, value in named.items()}
    assert problem.simulate is not None
    x, y, params = problem.simulate(arrays, [torch.Generator().manual_seed(0)])
    return exact, (x[0], y[0], {name: value[0] for name, value in params.items()})


def drawn(problem: Problem, stream: TrainingStream, index: int):
    return problem.augment(stream.load(stream.name(index)), np.random.default_rng(index))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("mri:brain-r20", marks=DATA("brain-istanet", "cardiac-admmnet")),
        pytest.param("mri:siat-radial20", marks=DATA("siat31")),
    ],
)
def test_without_noise_a_simulated_measurement_is_the_exact_one(name):
    problem, stream = small(name)
    for index in range(2):
        (x, y, params), (x_drawn, y_drawn, params_drawn) = both(problem, drawn(problem, stream, index))
        assert x_drawn.dtype == y_drawn.dtype == torch.float32
        assert torch.allclose(x_drawn, single(x), atol=1e-6)
        assert torch.allclose(y_drawn, single(y), atol=1e-5)
        assert torch.equal(params_drawn["mask"], single(params["mask"]))


def test_simulated_photons_scatter_about_the_line_integrals_of_the_fine_grid_as_counts_do():
    problem, stream = small("ct:aapm12-60", size=48)
    image = drawn(problem, stream, 0)
    silent = small("ct:aapm12-60", size=48, photons=1e14)[0]
    (x, z, _), _ = both(silent, image)
    _, (x_drawn, y, _) = both(problem, image)
    assert torch.allclose(x_drawn, single(x), atol=1e-6)
    scatter = (y - z) * torch.sqrt(1e5 * torch.exp(-z))  # of unit variance
    assert float(scatter.mean()) == pytest.approx(0, abs=0.1)
    assert float(scatter.std()) == pytest.approx(1, abs=0.05)


def test_an_augmented_head_has_the_field_of_its_susceptibility():
    """Mirrored and turned about B0, the field that was made on the fine grid is still the one of the phantom."""
    problem, stream = small("qsm:qsm2016", size=16)
    volumes = stream.load(stream.name(0))
    kept = [problem.augment(volumes, np.random.default_rng(seed)) for seed in range(8)]
    assert len({one["mask"].tobytes() for one in kept}) > 4

    def misfit(one):
        params = {"mask": torch.ones(1, 1, 16, 16, 16), "voxel": torch.from_numpy(one["voxel"])[None]}
        field = problem.physics(params, CPU).A(torch.from_numpy(one["susceptibility"])[None, None])[0, 0].numpy()
        return np.linalg.norm(field - one["field"]) / np.linalg.norm(one["field"])

    assert [misfit(one) for one in kept] == pytest.approx([misfit(volumes)] * 8, rel=1e-4)
    turned = {**volumes, "field": np.swapaxes(volumes["field"], 0, 2)}  # not about B0
    assert misfit(turned) > 1.5 * misfit(volumes)


def test_the_simulated_error_of_a_field_has_the_declared_strength_in_the_mask():
    problem, stream = small("qsm:qsm2016", size=32)
    _, (x, y, params) = both(problem, volumes := drawn(problem, stream, 0))
    inside = params["mask"] > 0
    strength = float(volumes["strength"])
    assert 0.5 < strength < 2
    assert strength != 1
    error = (y - strength * torch.from_numpy(volumes["field"]))[inside]
    assert float(error.std()) == pytest.approx(np.hypot(0.0033, 0.005), rel=0.15)
    assert not y[~inside].any()
    assert torch.allclose(x[0], strength * torch.from_numpy(volumes["susceptibility"]))


@pytest.mark.parametrize(("name", "size"), [("ct:aapm12-60", 32), ("qsm:qsm2016", 16)])
def test_samples_are_seeded_and_no_two_are_alike(name, size):
    problem, stream = small(name, size=size)
    _, again = small(name, size=size)
    x, y, params = on_device(problem, collate_training([stream[index] for index in range(4)]), CPU)
    assert problem.physics(params, CPU).A(x).shape == y.shape
    own = on_device(problem, collate_training([again[2]]), CPU)
    assert torch.equal(own[0][0], x[2])
    assert torch.allclose(own[1][0], y[2], rtol=0, atol=1e-6 * float(y.abs().max()))
    assert len({one.numpy().tobytes() for one in x}) == len({one.numpy().tobytes() for one in y}) == 4


@pytest.mark.parametrize(
    ("name", "scanner"), [("ct:mini", CT), ("ct:mini-emission", CT), ("ct:mini-metal", Metal), ("mri:mini", MRI)]
)
def test_what_the_scans_of_a_phantom_have_in_common_is_made_once(name, scanner, monkeypatch):
    made = []
    monkeypatch.setattr(scanner, "without_noise", counting(scanner.without_noise, made))
    problem, stream = small(name, size=48)
    train = problem.images["train"]
    stream.problem = replace(problem, images={"train": replace(train, ids=train.ids[:3])})
    scans = [stream[index] for index in range(9)]
    assert len(made) == 3
    assert len({scan.y.numpy().tobytes() for scan in scans}) == 9
    assert len({scan.x.numpy().tobytes() for scan in scans}) == 3


def counting(function, calls):
    def counted(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return counted


@DATA("brain-istanet", "cardiac-admmnet")
def test_one_cardiac_image_is_never_seen_twice_alike():
    problem, stream = small("mri:brain-r20")
    image = stream.load(stream.problem.images["train"].ids[0])
    seen = [problem.augment(image, np.random.default_rng(seed)) for seed in range(50)]
    assert len({one.tobytes() for one in seen}) == 50
    assert all(one.min() >= 0 and one.shape == image.shape and one.dtype == np.float32 for one in seen)


@pytest.mark.parametrize("track", [one for one in registry.all_tracks() if one.data], ids=lambda one: one.id)
def test_a_checkpoint_on_real_data_is_chosen_by_twenty_looks_at_enough_images(track):
    budget = track.budget
    assert len([step for step in range(1, budget.steps + 1) if step % budget.look_every == 0]) == 20
    assert budget.validation_images >= (16 if track.dims == 2 else 8)  # a volume takes ten seconds to make
    assert budget.validation_images >= budget.images
