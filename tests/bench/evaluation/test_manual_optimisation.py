"""A method may take its own steps: without gradients, or with several optimisers, each on a whole batch."""

import math

import pytest
import torch
import toy
from toy_trainings import Adversarial, Average, train, validation

from bench.contract.task import Budget
from bench.errors import BenchError
from bench.evaluation.train import Computing, TrainingData


def test_a_method_may_learn_without_gradients(tmp_path):
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    method = Average()
    record, curves = train(method, track, checkpoint=tmp_path / "weights.ckpt")
    assert [point.step for point in curves if point.name == "train_loss"] == list(range(1, 11))
    scores = {point.step: point.value for point in curves if point.name == "val_psnr"}
    assert list(scores) == [2, 4, 6, 8, 10]
    assert record["chosen_step"] == int(method.steps) == max(scores, key=scores.get)
    stream = TrainingData(track, toy.open_track(track), 0, 1).stream
    seen = torch.stack([stream[index].x for index in range(4 * int(method.steps))])
    assert float(method.total / method.steps) == pytest.approx(float(seen.mean()), rel=1e-5)
    written = torch.load(tmp_path / "weights.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(written["total"], method.total)


def test_learning_without_gradients_takes_one_device():
    with pytest.raises(BenchError, match="Average learns without gradients, which devices cannot share: use one"):
        train(Average(), devices=2)


def test_a_method_of_several_optimisers_learns_and_its_losses_become_curves():
    track = toy.track("mini", budget=Budget(images=3, steps=60, batch=4))
    torch.manual_seed(0)
    method = Adversarial()
    before = validation(method, track)
    critic = method.critic[0].weight.detach().clone()
    record, curves = train(method, track)
    assert record["val_psnr"] > before + 0.5
    assert not torch.equal(method.critic[0].weight, critic)
    steps = {name: [point.step for point in curves if point.name == name] for name in ("critic_loss", "generator_loss")}
    assert steps == {name: list(range(1, 61)) for name in steps}


def test_a_loss_of_several_that_is_not_finite_ends_the_training():
    class Diverging(Adversarial):
        def training_step(self, batch, index):
            self.log("critic_loss", torch.tensor(math.inf))

    with pytest.raises(BenchError, match="the critic_loss became inf at step 1"):
        train(Diverging())


def test_a_method_that_takes_its_own_steps_takes_whole_batches():
    with pytest.raises(BenchError, match="Adversarial takes its own steps, each on a whole batch"):
        train(Adversarial(), computing=Computing(accumulate=2))
