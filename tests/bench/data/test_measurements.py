"""Test measurements are drawn once and for all, training samples by their place in the stream."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import toy

from bench.contract.task import Images, Problem, Sample
from bench.data.measurements import (
    FIRST,
    Measured,
    TrainingStream,
    collate,
    collate_training,
    digest,
    generator,
    on_device,
    single,
    sound,
)
from bench.errors import BenchError


@pytest.fixture
def problem():
    return toy.open_track(toy.MINI)


def same(one, other):
    return one.id == other.id and torch.equal(one.x, other.x) and torch.equal(one.y, other.y)


def test_a_measurement_is_the_same_in_every_order_and_set(problem):
    data = Measured(toy.MINI, problem, "test")
    last_first = [data[index] for index in reversed(range(len(data)))][::-1]
    again = Measured(toy.MINI, toy.open_track(toy.MINI), "test", limit=3)
    assert len(again) == 3
    assert all(same(again[index], last_first[index]) for index in range(3))
    assert digest(again[0].y) == digest(last_first[0].y)


def test_measurements_differ_by_image_track_and_version(problem):
    noise = [sample.y - sample.x for sample in (Measured(toy.MINI, problem, "test")[i] for i in range(2))]
    assert not torch.allclose(noise[0].float(), noise[1].float(), atol=1e-3)
    for other in (toy.track("other"), toy.track("mini", version=2)):
        assert not torch.equal(Measured(other, problem, "test")[0].y, Measured(toy.MINI, problem, "test")[0].y)


def test_the_truth_stays_in_double_precision_and_what_methods_see_is_single(problem):
    sample = Measured(toy.MINI, problem, "test")[0]
    assert (sample.x.dtype, sample.y.dtype) == (torch.float64, torch.float32)
    assert TrainingStream(toy.MINI, problem, 0, 4)[0].x.dtype == torch.float32


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.float64, torch.float32),
        (torch.complex128, torch.complex64),
        (torch.bool, torch.bool),
        (torch.int64, torch.int64),
    ],
)
def test_only_floating_point_is_narrowed(given, expected):
    assert single(torch.ones(3, dtype=given)).dtype == expected


def test_a_training_sample_is_the_same_wherever_it_is_drawn(problem):
    first, second = (TrainingStream(toy.MINI, toy.open_track(toy.MINI), 7, 20) for _ in range(2))
    drawn = [first[index] for index in range(20)]
    assert all(same(second[index], drawn[index]) for index in (19, 3, 11, 0))
    other = TrainingStream(toy.MINI, problem, 8, 20)
    assert not any(torch.equal(other[index].y, drawn[index].y) for index in range(20))


def test_the_stream_is_endless_and_sees_every_image_once_an_epoch(problem):
    stream = TrainingStream(toy.MINI, problem, 0, 1000)
    names = [stream[index].id for index in range(15)]
    for epoch in range(3):
        assert sorted(names[5 * epoch : 5 * epoch + 5]) == sorted(problem.images["train"].ids)
    assert names[:5] != names[5:10]
    noise = {digest(stream[index].y) for index in range(15)}
    assert len(noise) == 15


def test_images_that_join_one_by_one_are_few_at_first_and_all_in_the_end(problem):
    images = Images(tuple(map(str, range(20))), lambda name: np.zeros((16, 16)), join_every=3)
    joining = Problem({"train": images}, problem.measure, problem.physics)
    stream, again = (TrainingStream(toy.MINI, joining, 0, 1000) for _ in range(2))
    names = [int(stream.name(index)) for index in range(600)]
    assert max(names[:3]) < FIRST
    assert all(name < FIRST + index // 3 for index, name in enumerate(names))
    assert set(names[300:]) == set(range(20))
    counts = np.bincount(names[36:], minlength=20)
    assert counts.min() > 10
    assert [int(again.name(index)) for index in (500, 3, 77)] == [names[index] for index in (500, 3, 77)]


def test_samples_that_are_simulated_are_the_same_in_any_batch_and_no_two_alike():
    problem = toy.open_track(toy.SIMULATED)
    stream = TrainingStream(toy.SIMULATED, problem, 7, 12)
    x, y, _ = on_device(problem, collate_training([stream[index] for index in range(12)]), torch.device("cpu"))
    for share in ([3], [11, 0, 4]):
        own = on_device(problem, collate_training([stream[index] for index in share]), torch.device("cpu"))
        assert torch.equal(own[0], x[share])
        assert torch.equal(own[1], y[share])
    assert len({digest(noise) for noise in y - x}) == 12
    assert float((y - x).std()) == pytest.approx(0.1, rel=0.05)
    assert x.dtype == y.dtype == torch.float32


def test_an_image_is_loaded_once(problem):
    loaded = []
    images = Images(("a", "b"), lambda name: loaded.append(name) or np.zeros((16, 16)))
    stream = TrainingStream(toy.MINI, Problem({"train": images}, problem.measure, problem.physics), 0, 9)
    for index in range(9):
        stream[index]
    assert sorted(loaded) == ["a", "b"]


def test_an_image_that_is_measured_once_is_measured_once_in_a_process(problem):
    measured = []

    def measure(image, rng):
        measured.append(image)
        return problem.measure(image, rng)

    once = replace(problem, measure=measure, measured_once=True)
    stream = TrainingStream(toy.MINI, once, 0, 15)
    drawn = [stream[index] for index in range(15)]
    assert len(measured) == len(once.images["train"]) == 5
    fresh = TrainingStream(toy.MINI, once, 0, 15)
    assert all(same(fresh[index], drawn[index]) for index in (14, 3, 0))


def test_a_sample_names_its_group(problem):
    images = {
        split: replace(problem.images[split], group=lambda name: name.partition("-")[0]) for split in ("test", "train")
    }
    grouped = Problem(images, problem.measure, problem.physics)
    assert Measured(toy.MINI, grouped, "test")[3].group == "test"
    assert TrainingStream(toy.MINI, grouped, 0, 9)[3].group == "train"
    assert Measured(toy.MINI, problem, "test")[3].group == "test-3"


def test_generators_depend_on_every_part():
    draws = [generator(*parts).random() for parts in (("a", 1), ("a", 2), ("b", 1), ("a", 1))]
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3


def test_samples_are_stacked(problem):
    data = Measured(toy.MINI, problem, "test")
    ids, x, y, params = collate([data[0], data[1]])
    assert (ids, tuple(x.shape), tuple(y.shape), params) == (["test-0", "test-1"], (2, 1, 16, 16), (2, 1, 16, 16), {})
    assert torch.equal(y[1], data[1].y)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"x": float("nan")}, "the task made x of test-0 with NaN or infinite values"),
        ({"y": float("inf")}, "the task made y of test-0 with NaN or infinite values"),
        ({"map": float("nan")}, "beyond [0, 1]"),
        ({"map": 255.0}, "beyond [0, 1]"),
        ({"map": None}, 'the task made target["map"] of test-0 NoneType, expected (2, 16, 16) in torch.float64'),
    ],
)
def test_what_a_task_made_wrong_is_laid_to_the_task(change, told):
    """A value takes the place of the first number of x, y or the map."""
    made = {"x": torch.rand(1, 16, 16), "y": torch.rand(1, 16, 16), "map": torch.rand(2, 16, 16).double()}
    for name, value in change.items():
        if value is None:
            del made[name]
        else:
            made[name].view(-1)[0] = value
    target = {name: value for name, value in made.items() if name == "map"}
    sample = Sample("test-0", "test-0", made["x"], made["y"], {}, target)
    with pytest.raises(BenchError) as caught:
        sound(sample, classes=2)
    assert told in str(caught.value)


def test_a_sound_sample_is_given_back():
    sample = Sample("test-0", "test-0", torch.rand(1, 4, 4), torch.rand(1, 4, 4), {}, {"map": torch.ones(1, 4, 4)})
    assert sound(sample, classes=1) is sample
