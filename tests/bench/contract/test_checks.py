"""The contract of learning, and of random numbers: those of seeded generators are allowed, others are not."""

import os
import random
from functools import partial

import numpy as np
import pytest
import torch
from deepinv.physics import Denoising

from bench.cli import main
from bench.contract.checks import LEARNED_CHECKS, NOT_TRIED, TOY_CHECKS, attempt, check
from bench.contract.construct import unsupported
from bench.contract.method import Estimate, LearnedMethod, Method
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


class Sampler(Method):
    """y and a little noise, drawn by a function of the shape."""

    draw = staticmethod(lambda shape: torch.randn(shape))

    def forward(self, y, physics):
        return physics.A_adjoint(y) + 0.01 * self.draw(physics.A_adjoint(y).shape)


class NumPySampler(Sampler):
    draw = staticmethod(lambda shape: torch.from_numpy(np.random.standard_normal(shape)).float())  # noqa: NPY002


class PythonSampler(Sampler):
    draw = staticmethod(lambda shape: torch.full(shape, random.random()))


class Unseeded(Sampler):
    draw = staticmethod(lambda shape: torch.full(shape, int.from_bytes(os.urandom(4), "big") / 2**32))


class OwnGenerator(Sampler):
    """Seeded by the system and not by the referee."""

    draw = staticmethod(lambda shape: torch.from_numpy(np.random.default_rng().standard_normal(shape)).float())


def toy_breaches(method):
    """The messages of all checks on toy operators that failed."""
    return [outcome.message for outcome in check(method) if ": " in outcome.check and not outcome.passed]


@pytest.mark.parametrize("method", [Sampler, NumPySampler, PythonSampler])
def test_a_method_may_draw_from_generators_that_are_seeded(method):
    assert toy_breaches(method) == []


@pytest.mark.parametrize("method", [Unseeded, OwnGenerator])
def test_other_randomness_is_a_breach(method):
    found = toy_breaches(method)
    assert len(found) == len([toy for toy in toys() if not toy.track.classes])
    assert all("a second call with the same seed differs by" in message for message in found)


def test_checks_leave_the_generators_as_they_were():
    states = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    toy_breaches(NumPySampler)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]


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


class Reads(LearnedMethod):
    """A finding of every class from the magnitude of the image."""

    returns = ("finding",)
    factor = 1.0

    def __init__(self, classes: int = 1):
        super().__init__()
        self.scale, self.shift = (torch.nn.Parameter(torch.zeros(classes)) for _ in range(2))

    def loss(self, x_hat, x, target):
        return torch.nn.functional.binary_cross_entropy(x_hat.finding, target["map"])

    def forward(self, y, physics):
        image = physics.A_adjoint(y).square().sum(1, keepdim=True).sqrt()
        scale, shift = (one.reshape(1, -1, 1, 1) for one in (self.scale, self.shift))
        return Estimate(finding=self.factor * torch.sigmoid(scale * image + shift))


class SeesTruth(Reads):
    sees_truth = True

    def forward(self, y, physics):
        image = y.square().sum(1, keepdim=True).sqrt()  # y is x
        scale, shift = (one.reshape(1, -1, 1, 1) for one in (self.scale, self.shift))
        return Estimate(finding=torch.sigmoid(scale * image + shift))


class Improbable(Reads):
    factor = 3.0


class OneClass(Reads):
    def forward(self, y, physics):
        return Estimate(finding=super().forward(y, physics).finding[:, :1])


class NoFinding(Reads):
    def forward(self, y, physics):
        return physics.A_adjoint(y)


def of_findings(method):
    return {one.check: one for one in check(method) if ": " in one.check and not one.check.endswith("unsupported")}


@pytest.mark.parametrize("method", [Reads, SeesTruth])
def test_a_method_of_findings_is_put_to_the_tracks_that_ask_for_one(method):
    found = of_findings(method)
    assert {one.partition(":")[0] for one in found} == {toy.track.name for toy in toys() if toy.track.classes}
    assert all(one.passed for one in found.values()), [one for one in found.values() if not one.passed]
    assert any("finding: shape" in one for one in found)
    assert any("learns from a step" in one for one in found)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Improbable, "a finding is a probability, in [0, 1]"),
        (OneClass, "expected a finding (B, classes, ...), (2, 3, 16, 16), got (2, 1, 16, 16)"),
        (NoFinding, "returned NoneType, expected a tensor as finding"),
    ],
)
def test_a_finding_of_another_form_is_a_breach(method, reason):
    assert reason in {one.message for one in of_findings(method).values() if not one.passed}


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
