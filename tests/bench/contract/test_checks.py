"""The contract of learning, the ranges of a search, and the operators on which a method is tried."""

from functools import partial

import pytest
import torch
from deepinv.physics import Denoising

from bench.cli import main
from bench.contract.checks import LEARNED_CHECKS, NOT_TRIED, TOY_CHECKS, attempt, check
from bench.contract.construct import unsupported
from bench.contract.method import LearnedMethod, Method
from bench.contract.space import Float
from bench.contract.toy_operators import toys
from bench.contract.toy_trial import Tried


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
    assert "give 'unused' no finite gradient" in outcomes(Detached)["learns from a step"].message


def test_what_is_learned_stands_in_the_state():
    assert "doesn't restore it" in outcomes(Forgetful)["state_dict round trip"].message


class Adversarial(LearnedMethod):
    """A toy GAN: a generator and a critic, each moved by an optimiser of its own."""

    forgotten = ()

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.gain, self.critic = (torch.nn.Parameter(torch.ones(())) for _ in range(2))

    def configure_optimizers(self):
        return [
            torch.optim.SGD([getattr(self, name)], lr=0.1) for name in ("gain", "critic") if name not in self.forgotten
        ]

    def forward(self, y, physics):
        return self.gain * physics.A_adjoint(y)

    def training_step(self, batch, index):
        x, y, physics = batch
        optimisers = self.optimizers()
        for optimiser in optimisers if isinstance(optimisers, list) else [optimisers]:
            x_hat = self(y, physics)
            optimiser.zero_grad()
            self.manual_backward((x_hat - x).square().mean() + (self.critic * x_hat).mean())
            optimiser.step()
            optimiser.zero_grad()


class Careless(Adversarial):
    forgotten = ("critic",)


class Exploding(Adversarial):
    def configure_optimizers(self):
        return [torch.optim.SGD([parameter], lr=torch.inf) for parameter in (self.gain, self.critic)]


def test_a_method_of_several_optimisers_keeps_the_contract():
    assert [outcome.message for outcome in check(Adversarial) if ": " in outcome.check and not outcome.passed] == []


def test_every_parameter_has_an_optimiser_and_stays_finite():
    assert "holds 'critic'" in outcomes(Careless)["learns from a step"].message
    assert "'gain' is not finite" in outcomes(Exploding)["learns from a step"].message


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


class Astray(Method):
    """Its defaults leave the range."""

    def __init__(self, lam=2.0):
        super().__init__()

    @classmethod
    def space(cls, track):
        return {"lam": Float(0, 1)}


class Unsearched(Astray):
    """A default of a hyperparameter that is not searched."""

    @classmethod
    def defaults(cls, track):
        return {"lam": 0.5, "window": "hann"}


@pytest.mark.parametrize(
    ("method", "message"),
    [(Astray, "the default lam=2.0 lies outside"), (Unsearched, "'window' is searched, but it is no argument")],
)
def test_the_search_starts_inside_of_its_ranges(method, message):
    outcome = next(outcome for outcome in check(method) if outcome.check == "search space")
    assert not outcome.passed
    assert message in outcome.message


def test_a_device_that_is_not_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["check", "direct", "--device", "cuda"]) == 2
    assert capsys.readouterr().err.startswith("bench: --device cuda: PyTorch finds no GPU on this machine.")


def test_methods_of_images_and_tracks_of_findings_do_not_meet():
    reasons = {one.check: one.message for one in check(Detached) if one.check.endswith("unsupported")}
    assert set(reasons) == {f"{toy.track.name}: unsupported" for toy in toys() if toy.track.classes}
    assert set(reasons.values()) == {"it returns no finding, by which the track ranks"}


def test_when_its_time_is_over_a_method_has_been_tried_on_one_operator_and_the_others_are_told():
    supported = [toy.track.name for toy in toys() if not unsupported(Level, toy.track)]
    found = check(Level, seconds=0.0)
    left = [outcome for outcome in found if outcome.check.endswith(NOT_TRIED)]
    assert [outcome.check.partition(":")[0] for outcome in left] == supported[1:]
    assert all(outcome.passed for outcome in left)
    assert any(outcome.check == f"{supported[0]}: deterministic" for outcome in found)
    assert not any(outcome.check.endswith(NOT_TRIED) for outcome in check(Level))
