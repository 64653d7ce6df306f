"""The contract of learning: gradients of all parameters, or a state that a training step changes by itself."""

from functools import partial

import torch
from deepinv.physics import Denoising

from bench.contract.checks import LEARNED_CHECKS, TOY_CHECKS, Tried, attempt
from bench.contract.method import LearnedMethod
from bench.contract.toy_operators import toys


class Level(LearnedMethod):
    """Learns the mean of the images without gradients."""

    rate_of_learning = 0.5

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.register_buffer("level", torch.zeros(()))

    def training_step(self, batch, index):
        x, _, _ = batch
        self.level += self.rate_of_learning * (x.mean() - self.level)
        return (x - self.level).square().mean()

    def forward(self, y, physics):
        return self.level.expand_as(y).clone()


class Idle(Level):
    rate_of_learning = 0.0


class Detached(LearnedMethod):
    def __init__(self):
        super().__init__()
        self.used, self.unused = (torch.nn.Parameter(torch.ones(())) for _ in range(2))

    def forward(self, y, physics):
        return self.used * y


class Forgetful(Level):
    """What it learned is not in its state."""

    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))
        del self.level
        self.register_buffer("level", torch.zeros(()), persistent=False)

    def training_step(self, batch, index):
        self.steps += 1
        return super().training_step(batch, index)


def outcomes(method):
    denoising = next(toy for toy in toys() if isinstance(toy.physics(toy.params), Denoising))
    return {name: attempt(name, partial(test, Tried(method, denoising))) for name, test in LEARNED_CHECKS.items()}


def test_learning_without_gradients_keeps_the_contract():
    assert all(outcome.passed for outcome in outcomes(Level).values())


def test_a_step_that_changes_nothing_is_a_breach():
    assert "leaves its state_dict as it was" in outcomes(Idle)["learns from a step"].message


def test_a_parameter_without_a_gradient_is_a_breach():
    assert "gives 'unused' no finite gradient" in outcomes(Detached)["learns from a step"].message


def test_what_is_learned_stands_in_the_state():
    assert "doesn't restore it" in outcomes(Forgetful)["state_dict round trip"].message


class Fickle(LearnedMethod):
    """NaN for a single image, which is how methods are evaluated."""

    def forward(self, y, physics):
        return y if len(y) > 1 else y * torch.nan


def test_a_single_image_of_nan_is_no_batch_of_one():
    toy = next(toy for toy in toys() if len(toy.y) > 1 and toy.track.denoising)
    name, test = "batch equals images", TOY_CHECKS["batch equals images"]
    _, passed, message = attempt(name, partial(test, Tried(Fickle, toy)))
    assert not passed
    assert "differs from its images" in message
