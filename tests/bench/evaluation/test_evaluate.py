"""The referee feeds y, scores every image, and answers a breach of the contract with one line that names the image."""

import math
import random
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import toy

from bench.contract.method import Estimate, Method
from bench.data.measurements import Measured
from bench.errors import BenchError, OverTime
from bench.evaluation.evaluate import Row, evaluate, mean_score, summary


class Call(Method):
    """A method of one function of ``(y, physics)``."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, y, physics):
        return self.function(y, physics)


def judge(function, track=toy.MINI, **options):
    return evaluate(Call(function), track, toy.open_track(track), **options)


def test_scores_are_those_of_a_loop_by_hand():
    outcome, _ = judge(lambda y, physics: 0.9 * y)
    data = Measured(toy.MINI, toy.open_track(toy.MINI), "test")
    assert list(outcome.per_image) == list(data.ids)
    for sample in (data[index] for index in range(len(data))):
        x_hat = (0.9 * sample.y).double()
        mse = ((x_hat - sample.x) ** 2).mean().item()
        assert outcome.per_image[sample.id]["psnr"] == pytest.approx(10 * math.log10(1 / mse), abs=1e-12)
        assert outcome.per_image[sample.id]["mae"] == pytest.approx((x_hat - sample.x).abs().mean().item(), abs=1e-12)


def test_a_method_sees_single_images_without_gradients_and_never_the_truth():
    seen = []

    def look(y, physics):
        seen.append((tuple(y.shape), y.dtype, torch.is_grad_enabled(), physics.A_adjoint(y).shape))
        return y

    judge(look)
    assert set(seen) == {((1, 1, 16, 16), torch.float32, False, torch.Size((1, 1, 16, 16)))}
    assert len(seen) == 5


def test_a_method_may_differentiate_inside_forward():
    def descend(y, physics):
        with torch.enable_grad():
            x = y.clone().requires_grad_()
            (gradient,) = torch.autograd.grad((physics.A(x) - y).square().sum() + x.square().sum(), x)
        return y - 0.1 * gradient

    expected, _ = judge(lambda y, physics: y - 0.1 * 2 * y)
    assert judge(descend)[0].per_image["test-0"]["psnr"] == pytest.approx(expected.per_image["test-0"]["psnr"])


def test_an_estimate_counts_by_its_image():
    plain, _ = judge(lambda y, physics: 0.5 * y)
    estimate, _ = judge(lambda y, physics: Estimate(image=0.5 * y, std=y))
    assert estimate.per_image == plain.per_image


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda y, physics: y * float("nan"), "returned NaN or infinite values."),
        (lambda y, physics: y / 0, "returned NaN or infinite values."),
        (lambda y, physics: y[0], "returned shape (1, 16, 16), expected (1, 1, 16, 16)."),
        (lambda y, physics: y.double(), "returned torch.float64 on cpu, expected torch.float32 on cpu."),
        (lambda y, physics: y.to("meta"), "returned torch.float32 on meta, expected torch.float32 on cpu."),
        (lambda y, physics: None, "returned NoneType, expected a tensor."),
        (lambda y, physics: Estimate(finding=y), "returned NoneType, expected a tensor."),
    ],
)
def test_a_breach_of_the_contract_names_the_image(function, reason):
    for attempt in (judge, validate):
        with pytest.raises(BenchError) as caught:
            attempt(function)
        assert f"on image {'test' if attempt is judge else 'val'}-0 the method {reason}" == str(caught.value)


def validate(function):
    data = Measured(toy.MINI, toy.open_track(toy.MINI), "val")
    return mean_score(Call(function), toy.MINI, data, range(len(data)), torch.device("cpu"))


def test_a_score_that_cannot_be_averaged_is_told():
    with pytest.raises(BenchError, match="the psnr of image test-0 is inf, which cannot be averaged"):
        judge(lambda y, physics: y.clone(), toy.EXACT)


def test_a_method_that_writes_into_y_changes_neither_the_data_hash_nor_the_picture():
    clean, pictures = judge(lambda y, physics: y.clone())
    dirty, spoilt = judge(lambda y, physics: y.mul_(0).add_(0.5))
    assert dirty.data_hash == clean.data_hash
    assert torch.equal(spoilt[0].direct, pictures[0].direct)


def masked(track=toy.MINI):
    """The toy problem with a mask among the parameters of its physics, by which its score weighs the errors."""
    problem = toy.open_track(track)

    def measure(image, rng):
        x, y, _ = problem.measure(image, rng)
        return x, y, {"mask": (x > 0.5).double()}

    def physics(params, device):
        operator = problem.physics({}, device)
        operator.mask = params["mask"]
        return operator

    return replace(problem, measure=measure, physics=physics)


def masked_error(x_hat, x, params):
    return float(((x_hat - x) * params["mask"]).abs().mean())


def test_a_method_that_writes_into_its_physics_moves_no_score(monkeypatch):
    monkeypatch.setattr(toy, "mae", masked_error)

    def cheat(y, physics):
        physics.mask.zero_()
        return 0.5 * y

    honest, _ = evaluate(Call(lambda y, physics: 0.5 * y), toy.MINI, masked())
    cheating, _ = evaluate(Call(cheat), toy.MINI, masked())
    assert cheating.per_image == honest.per_image
    assert min(scores["mae"] for scores in honest.per_image.values()) > 0
    data = Measured(toy.MINI, masked(), "val", keep=True)
    track = toy.track("mini", metrics=toy.MINI.metrics[::-1])
    for _ in range(2):  # tuning looks at the same images again and again
        scores = [
            mean_score(Call(f), track, data, range(3), torch.device("cpu")) for f in (lambda y, physics: 0.5 * y, cheat)
        ]
        assert scores[0] == scores[1] > 0


def test_an_image_that_requires_grad_is_as_good_as_another():
    weight = torch.nn.Parameter(torch.tensor(0.5))

    def graph(y, physics):
        with torch.enable_grad():
            return weight * y

    outcome, pictures = judge(graph)
    assert outcome.per_image == judge(lambda y, physics: 0.5 * y)[0].per_image
    assert not any(picture.x_hat.requires_grad for picture in pictures)


def test_random_numbers_are_seeded_per_image():
    """Alone, in another order, after other draws: an image has the numbers of the seed and its name."""

    def sample(y, physics):
        return y + 0.1 * torch.randn(y.shape) + 0.1 * float(np.random.rand()) + 0.1 * random.random()  # noqa: NPY002

    whole, part = judge(sample)[0], judge(sample, limit=2)[0]
    assert part.per_image == {name: whole.per_image[name] for name in ("test-0", "test-1")}
    torch.randn(7), np.random.rand(7), random.random()  # noqa: NPY002
    assert judge(sample)[0].per_image == whole.per_image
    assert judge(sample, seed=1)[0].per_image != whole.per_image
    errors = [scores["mae"] for scores in whole.per_image.values()]
    assert len(set(errors)) == len(errors)
    track = toy.MINI
    data = Measured(track, toy.open_track(track), "val")
    forth, back = (
        [mean_score(Call(sample), track, data, [i], torch.device("cpu")) for i in order] for order in ((0, 1), (1, 0))
    )
    assert forth == back[::-1]


def test_a_deadline_ends_a_trial():
    data = Measured(toy.MINI, toy.open_track(toy.MINI), "val")
    with pytest.raises(OverTime, match="the trial went over its time"):
        mean_score(Call(lambda y, physics: y), toy.MINI, data, [0], torch.device("cpu"), deadline=time.monotonic() - 1)


def test_the_first_images_are_kept_as_pictures():
    outcome, pictures = judge(lambda y, physics: 0.5 * y)
    assert [picture.id for picture in pictures] == ["test-0", "test-1", "test-2", "test-3"]
    assert torch.equal(pictures[1].x_hat, 0.5 * pictures[1].direct)
    assert pictures[1].scores == outcome.per_image["test-1"]


def test_a_limit_takes_the_first_images():
    whole, part = judge(lambda y, physics: y)[0], judge(lambda y, physics: y, limit=2)[0]
    assert part.per_image == {name: whole.per_image[name] for name in ("test-0", "test-1")}
    assert part.data_hash != whole.data_hash


def test_rows_make_the_same_evaluation_in_whatever_order_processes_bring_them():
    rows = [Row(i, f"image-{i}", f"scene-{i // 2}", {"psnr": 20.0 + i}, 1.0, f"{i:064}") for i in range(5)]
    one, two = summary(rows, 1), summary([*rows[1::2], *rows[0::2]], 2)
    assert one.data_hash == two.data_hash
    assert list(one.per_image.items()) == list(two.per_image.items())
    assert one.groups == two.groups == {f"image-{i}": f"scene-{i // 2}" for i in range(5)}
    assert list(one.image_hashes) == list(two.image_hashes) == list(one.per_image)


def test_the_first_image_of_every_process_is_a_warm_up_and_not_timed():
    seconds = [9.0, 8.0, 1.0, 2.0]
    rows = [Row(i, f"image-{i}", "", {}, seconds[i], "") for i in range(4)]
    assert summary(rows, 2).seconds_per_image == 1.5
    assert summary(rows, 1).seconds_per_image == pytest.approx(11 / 3)
    assert summary(rows[:1], 1).seconds_per_image == 9.0


def test_validation_is_the_mean_over_its_images_and_leaves_the_mode_alone():
    method = Call(lambda y, physics: y)
    data = Measured(toy.MINI, toy.open_track(toy.MINI), "val")
    for training in (True, False):
        method.train(training)
        scores = [mean_score(method, toy.MINI, data, [i], torch.device("cpu")) for i in range(3)]
        assert mean_score(method, toy.MINI, data, range(3), torch.device("cpu")) == pytest.approx(sum(scores) / 3)
        assert method.training is training
