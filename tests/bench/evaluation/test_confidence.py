"""The referee and standard deviations: what a method may return, and scores of a case whose coverage is known."""

from math import erf, sqrt

import pytest
import torch
import toy

from bench.contract.method import Estimate, Method
from bench.errors import BenchError
from bench.evaluation.evaluate import evaluate

SIGMA = toy.MINI.options["sigma"]
Z = 1.6448536269514722  # the 95 % quantile of the normal distribution
TOLERANCE = 3 * 100 * sqrt(0.25 / (5 * toy.SIZE**2))  # three deviations of a share of the test pixels, in percent


class Sure(Method):
    """A method of one function of ``y``."""

    returns = ("image", "std")

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, y, physics):
        return self.function(y)


def judge(function, track=toy.MINI, **options):
    return evaluate(Sure(function), track, toy.open_track(track), **options)


def claiming(share):
    """The measurement itself, whose error is the noise, and a share of the deviation of the noise."""
    return lambda y: Estimate(y, std=torch.full_like(y, share * SIGMA))


def mean(found, name):
    return sum(scores[name] for scores in found.per_image.values()) / len(found.per_image)


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_the_coverage_of_a_known_noise_is_found_and_mended_on_the_validation_split(share):
    outcome, _ = judge(claiming(share))
    found = outcome.confidence
    assert set(found.per_image) == set(outcome.per_image)
    assert found.images == 3
    assert mean(found, "coverage") == pytest.approx(100 * erf(Z * share / sqrt(2)), abs=TOLERANCE)
    assert mean(found, "calibrated_coverage") == pytest.approx(90, abs=TOLERANCE)
    assert min(found.factors) < Z / share < max(found.factors)
    width = mean(found, "width") / (2 * share * SIGMA)  # the mean factor of a value
    assert width == pytest.approx(Z / share, rel=0.1)
    assert mean(found, "correlation") == 0  # of a constant


def test_scores_of_images_are_the_same_with_and_without_a_deviation():
    class Bare(Sure):
        returns = ("image",)

    bare, _ = evaluate(Bare(lambda y: y), toy.MINI, toy.open_track(toy.MINI))
    assert bare.confidence is None
    assert judge(claiming(1.0))[0].per_image == bare.per_image


def test_a_deviation_of_zero_has_no_finite_factor_and_no_width():
    found = judge(claiming(0.0))[0].confidence
    assert set(found.factors) == {float("inf")}
    assert all(
        set(scores) == {"coverage", "calibrated_coverage", "correlation", "ause"} for scores in found.per_image.values()
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda y: y, "returned a standard deviation: NoneType, expected a tensor."),
        (lambda y: Estimate(y, std=y[0]), "returned a standard deviation: shape (1, 16, 16), expected (1, 1, 16, 16)."),
        (lambda y: Estimate(y, std=y.double()), "returned a standard deviation: torch.float64 on cpu, expected"),
        (lambda y: Estimate(y, std=y / 0), "returned a standard deviation: NaN or infinite values."),
        (lambda y: Estimate(y, std=-y.abs()), "returned a negative standard deviation."),
    ],
)
def test_a_breach_of_the_contract_names_the_image(answer, reason):
    with pytest.raises(BenchError) as caught:
        judge(answer)
    assert str(caught.value).startswith(f"on image val-0 the method {reason}")


def test_a_deviation_needs_an_image():
    with pytest.raises(BenchError, match="the standard deviation of no image"):
        evaluate(
            type("Blind", (Sure,), {"returns": ("finding", "std")})(
                lambda y: Estimate(finding=y.sigmoid(), std=y.abs())
            ),
            toy.FINDING,
            toy.open_track(toy.FINDING),
        )


def test_randomness_is_seeded_for_each_image_in_calibration_too():
    def sampled(y):
        samples = torch.stack([y + SIGMA * torch.randn(y.shape) for _ in range(8)])
        return Estimate(samples.mean(0), std=samples.std(0))

    first, second, other = (judge(sampled, seed=seed)[0].confidence for seed in (0, 0, 1))
    assert (first.factors, first.per_image) == (second.factors, second.per_image)
    assert first.factors != other.factors


def test_pictures_hold_the_deviation():
    _, pictures = judge(claiming(1.0))
    assert torch.equal(pictures[0].std, torch.full((1, 1, 16, 16), SIGMA))
