"""Under a shift a method keeps its hyperparameters and weights; the point that changes nothing is the run itself."""

from dataclasses import replace

import pytest
import torch
import toy

from bench import Method
from bench.contract.task import Shift
from bench.evaluation.evaluate import evaluate
from bench.stability.shifts import NORMS, PERTURBED, stress

LEVEL = Shift("noise", "standard deviation", {"0.05": {"sigma": 0.05}, "own": {}, "0.2": {"sigma": 0.2}})
CPU = torch.device("cpu")


class Lifted(Method):
    """Differentiable, and most easily moved by a constant."""

    def forward(self, y, physics):
        return y / 2 + y.mean()


class Rounded(Method):
    """Not differentiable, and it fails where noise is strong."""

    def forward(self, y, physics):
        if float(physics.noise_model.sigma) > 0.15:
            raise ValueError("too noisy")
        return y.detach()


def scores(method):
    track = replace(toy.MINI, shifts=(LEVEL,))
    answer = {}
    for shift, point, found in stress(method(), track, toy.open_track, 0, CPU, lambda stage: None):
        answer[shift, point] = found if isinstance(found, Exception) else found[0]
    return track, answer


def test_every_point_of_every_shift_has_scores_and_the_own_point_those_of_the_run():
    track, found = scores(Lifted)
    run, _ = evaluate(Lifted(), track, toy.open_track(track))
    own = {image: values["psnr"] for image, values in run.per_image.items()}
    assert found["noise", "own"] == own
    assert {point for shift, point in found if shift == "noise"} == {"0.05", "own", "0.2"}
    for kind in ("random", "worst"):
        assert list(found[kind, "0"].values()) == list(own.values())[:PERTURBED]
        assert [point for shift, point in found if shift == kind] == list(NORMS)


def test_more_noise_costs_more_and_a_worst_perturbation_moves_further_than_a_random_one():
    _, found = scores(Lifted)
    means = {key: sum(values.values()) / len(values) for key, values in found.items()}
    assert means["noise", "0.05"] > means["noise", "own"] > means["noise", "0.2"]
    assert means["worst", "5 %"] < means["random", "5 %"]


def test_a_point_at_which_the_method_fails_takes_no_other_down():
    _, found = scores(Rounded)
    assert str(found["noise", "0.2"]) == "too noisy"
    assert len(found["noise", "0.05"]) == 5
    assert "no gradient in y" in str(found["worst", "1 %"])
    assert len(found["random", "1 %"]) == PERTURBED


def test_a_shift_holds_the_track_itself_once():
    assert LEVEL.own == "own"
    assert LEVEL.at(toy.MINI, "0.2").options["sigma"] == 0.2
    assert "sigma" not in Shift("s", "", {"a": {}, "b": {"sigma": None}}).at(toy.MINI, "b").options
    assert replace(toy.MINI, shifts=(LEVEL,)).scored(learned=True) == toy.MINI.scored(learned=True)
    for points in ({"a": {"sigma": 1}}, {"a": {}, "b": {}}):
        with pytest.raises(ValueError, match="one point that changes nothing"):
            Shift("s", "", points)
