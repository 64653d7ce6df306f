"""The referee and findings: what a method is given and may return, and how targets reach a training."""

from typing import ClassVar

import pytest
import torch
import toy

from bench.contract.method import Estimate, LearnedMethod, Method
from bench.data.measurements import Measured, TrainingStream, targets
from bench.errors import BenchError
from bench.evaluation.evaluate import evaluate, mean_score
from bench.evaluation.pictures import CAPTION, GAP, Picture, save
from bench.evaluation.train import train


class Finder(Method):
    """A method of one function of ``y``."""

    returns = ("finding",)

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, y, physics):
        return self.function(y)


class Seer(Finder):
    sees_truth = True


def problem(track=toy.FINDING):
    return toy.open_track(track)


def judge(method, track=toy.FINDING, **options):
    return evaluate(method, track, problem(track), **options)


def half(y):
    return Estimate(finding=torch.sigmoid(20 * (y - 0.5)))


def test_a_finding_without_an_image_is_scored_and_the_scores_of_images_are_absent():
    outcome, pictures = judge(Finder(half))
    assert all(set(scores) == {"overlap", "ordered"} for scores in outcome.per_image.values())
    data = Measured(toy.FINDING, problem(), "test")
    for sample in (data[index] for index in range(len(data))):
        expected = ((sample.y > 0.5) == (sample.x > 0.5)).double().mean()
        assert outcome.per_image[sample.id]["overlap"] == pytest.approx(float(expected))
    records = [one["ordered"] for one in outcome.records.values()]
    kept = [scores["ordered"] for scores in outcome.per_image.values()]
    assert sum(kept) / len(kept) == pytest.approx(toy.ordered(records))
    assert pictures[0].x_hat is None
    assert torch.equal(pictures[0].target, data[0].target["map"][None])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda y: y, "returned no finding: return Estimate(finding=...)."),
        (lambda y: Estimate(y), "returned no finding: return Estimate(finding=...)."),
        (lambda y: Estimate(finding=y[0]), "returned a finding: shape (1, 16, 16), expected (1, 1, 16, 16)."),
        (lambda y: Estimate(finding=y.double()), "returned a finding: torch.float64 on cpu, expected torch.float32"),
        (lambda y: Estimate(finding=y / 0), "returned a finding: NaN or infinite values."),
        (lambda y: Estimate(finding=y + 1), "returned a finding beyond [0, 1]: it is a probability."),
        (lambda y: Estimate(y[0], half(y).finding), "returned shape (1, 16, 16), expected (1, 1, 16, 16)."),
    ],
)
def test_a_breach_of_the_contract_names_the_image(answer, reason):
    with pytest.raises(BenchError) as caught:
        judge(Finder(answer))
    assert str(caught.value).startswith(f"on image test-0 the method {reason}")


def test_the_truth_is_given_to_a_control_and_to_no_other_method():
    seen = {}

    def look(y):
        seen[len(seen)] = y
        return half(y)

    data = Measured(toy.FINDING, problem(), "test")
    judge(Finder(look))
    assert all(torch.equal(seen[i], data[i].y[None]) for i in range(len(data)))
    seen.clear()
    outcome, _ = judge(Seer(look))
    assert all(torch.equal(seen[i], data[i].x[None].float()) for i in range(len(data)))
    assert all(scores["overlap"] == 1 for scores in outcome.per_image.values())
    validation = Measured(toy.FINDING, problem(), "val")
    assert mean_score(Seer(half), toy.FINDING, validation, range(3), torch.device("cpu")) == 1


class Learner(LearnedMethod):
    returns = ("finding",)
    batches: ClassVar[list] = []

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Conv2d(1, 1, 1)

    def loss(self, x_hat, x, target):
        self.batches.append((x, target["map"]))
        return torch.nn.functional.binary_cross_entropy(x_hat.finding, target["map"])

    def forward(self, y, physics):
        return Estimate(finding=torch.sigmoid(self.network(y)))


def test_targets_reach_the_loss_of_a_training():
    Learner.batches.clear()
    record, curves = train(Learner(), toy.FINDING, problem(), seed=0)
    assert record["val_overlap"] == max(point.value for point in curves if point.name == "val_overlap")
    assert len(Learner.batches) == toy.FINDING.budget.steps
    assert all(torch.equal(target, (x > 0.5).float()) for x, target in Learner.batches)
    assert all(len(x) == 2 and target.dtype == torch.float32 for x, target in Learner.batches)


class Image(LearnedMethod):
    sizes: ClassVar[list] = []

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Conv2d(1, 1, 1)

    def training_step(self, batch, index):
        self.sizes.append(len(batch))
        return super().training_step(batch, index)

    def forward(self, y, physics):
        return self.network(y)


def test_a_method_of_images_trains_on_the_images_of_the_track_without_a_target():
    record, _ = train(Image(), toy.FINDING.of_images(), problem(), seed=0)
    assert set(Image.sizes) == {3}
    assert "val_psnr" in record


def test_a_training_image_that_is_measured_once_has_one_noise():
    from dataclasses import replace

    once = replace(problem(), measured_once=True)
    count = len(once.images["train"])
    for seed in (0, 1):
        stream = TrainingStream(toy.FINDING, once, seed, 3 * count)
        found: dict[str, list] = {}
        for sample in (stream[index] for index in range(3 * count)):
            found.setdefault(sample.id, []).append(sample.y)
        assert all(len(y) == 3 and torch.equal(y[0], y[1]) and torch.equal(y[0], y[2]) for y in found.values())
    again = TrainingStream(toy.FINDING, problem(), 0, 2 * count)
    same = [again[i].id == again[j].id for i in range(count) for j in range(count, 2 * count)]
    assert any(same)
    pairs = [(i, j) for i in range(count) for j in range(count, 2 * count) if again[i].id == again[j].id]
    assert not any(torch.equal(again[i].y, again[j].y) for i, j in pairs)


def test_targets_are_stacked_and_none_where_there_is_none():
    data = Measured(toy.FINDING, problem(), "test")
    assert targets([data[0], data[1]])["map"].shape == (2, 1, 16, 16)
    assert targets([Measured(toy.MINI, problem(toy.MINI), "test")[0]]) is None


def test_a_picture_shows_target_and_finding_after_the_image(tmp_path):
    import numpy as np
    from PIL import Image as Picture_

    x = torch.rand(1, 1, 160, 160)
    target, finding = torch.zeros(1, 2, 160, 160), torch.zeros(1, 2, 160, 160)
    target[0, 1, :80], finding[0, 0] = 1, 1
    for x_hat, count in ((x, 6), (None, 4)):
        save(Picture("a", x, x, x_hat, {}, target, finding), tmp_path / "a.png")
        with Picture_.open(tmp_path / "a.png") as sheet:
            pixels = np.asarray(sheet)[CAPTION:]
        assert pixels.shape[1] == count * (160 + GAP) - GAP
        shown = [pixels[:, i * (160 + GAP) : i * (160 + GAP) + 160] for i in range(count)]
        assert set(np.unique(shown[-2][:80])) == {255}
        assert set(np.unique(shown[-2][80:])) == {0}
        assert set(np.unique(shown[-1])) == {127}
