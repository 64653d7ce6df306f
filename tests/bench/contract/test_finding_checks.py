"""A method of findings is tried on the tracks that ask for one, and must give a probability of every class."""

import numpy as np
import pytest
import torch

from bench.contract.checks import check
from bench.contract.method import Estimate, LearnedMethod
from bench.contract.toy_operators import toys


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


class Raises(Reads):
    def forward(self, y, physics):
        raise ValueError("not today")


class Unsteady(Reads):
    """A standard deviation that no seed brings back."""

    returns = ("image", "finding", "std")

    def forward(self, y, physics):
        image = physics.A_adjoint(y)
        noise = np.random.default_rng().random(tuple(image.shape))
        return Estimate(image, super().forward(y, physics).finding, torch.from_numpy(noise).to(image.real.dtype))


def test_a_method_that_raises_passes_no_check_of_a_track():
    tried = [one for one in check(Raises) if ": " in one.check and not one.check.endswith("unsupported")]
    assert tried
    assert not any(one.passed for one in tried)


def test_a_standard_deviation_is_reproducible_too():
    failed = {one.check.partition(": ")[2] for one in check(Unsteady) if not one.passed}
    assert "deterministic" in failed
