"""What a method declares and what is asked of it is checked, each fault in one line; the track fills in the rest."""

from typing import ClassVar

import pytest
import toy

from bench.contract import registry
from bench.contract.construct import build, check_hyperparameters, check_space, constructor_defaults, unsupported
from bench.contract.method import LearnedMethod, Method
from bench.contract.space import Choice, Float, Int
from bench.errors import BenchError


def declares(space, base=Method):
    class Declares(base):
        search_space = space

        def __init__(self, lam=0.5):
            super().__init__()

    return Declares


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        ({"lam": (0.1, 1.0)}, "the range of 'lam' is (0.1, 1.0). Declare it as Float, Int or Choice (bench)."),
        ({"lam": Float(1.0, 0.1)}, "the range of 'lam' goes from 1.0 to 0.1. low must be below high."),
        ({"lam": Int(3, 3)}, "the range of 'lam' goes from 3 to 3. low must be below high."),
        ({"lam": Float(0.0, 1.0, log=True)}, "the logarithmic range of 'lam' starts at 0.0. It must start above 0."),
        ({"mu": Float(0.0, 1.0)}, "'mu' is searched, but the constructor has no such argument."),
    ],
)
def test_a_wrong_search_space_is_one_line(space, reason):
    with pytest.raises(BenchError) as caught:
        check_space(declares(space), toy.MINI)
    assert str(caught.value) == reason


def test_a_method_without_a_constructor_has_no_arguments():
    """Lightning's constructor, which it inherits, takes any."""

    class Plain(Method):
        search_space: ClassVar = {"lam": Float(0, 1)}

    with pytest.raises(BenchError, match="'lam' is searched, but the constructor has no such argument"):
        check_space(Plain, toy.MINI)
    with pytest.raises(BenchError, match="no hyperparameter of plain is called 'mu'"):
        check_hyperparameters("plain", Plain, toy.MINI, {"mu": 1})


def test_a_method_that_learns_has_no_search_space():
    with pytest.raises(BenchError, match="A method that learns has one recipe"):
        check_space(declares({"lam": Float(0, 1)}, LearnedMethod), toy.MINI)


@pytest.mark.parametrize("space", [{}, {"lam": Float(0, 1)}, {"lam": Int(1, 9, log=True)}, {"lam": Choice((0, 1))}])
def test_a_right_search_space_is_returned(space):
    assert check_space(declares(space), toy.MINI) == space


@pytest.mark.parametrize("answer", [True, False, "", " ", 0, ["no"]])
def test_supports_returns_none_or_a_reason(answer):
    class Odd(Method):
        @classmethod
        def supports(cls, track):
            return answer

    with pytest.raises(BenchError, match=r"^supports\(\) returned .*It returns None, or the reason why not as a text"):
        unsupported(Odd, toy.MINI)


@pytest.mark.parametrize(("answer", "expected"), [(None, ""), ("no\n  k-space", "no k-space")])
def test_a_reason_is_one_line(answer, expected):
    class Picky(Method):
        @classmethod
        def supports(cls, track):
            return answer

    assert unsupported(Picky, toy.MINI) == expected


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"facto": 1}, "no hyperparameter of shrink is called 'facto'. Did you mean factor?"),
        ({"zzz": 1}, "Known: factor."),
        ({"channels": 1}, "no hyperparameter of shrink is called 'channels'"),
        ({"factor": "high"}, "shrink:factor=high is not a finite number, and its default is 0.9."),
        ({"factor": True}, "is not a finite number"),
        ({"factor": float("inf")}, "is not a finite number"),
    ],
)
def test_wrong_hyperparameters_are_told(shrink, asked, reason):
    with pytest.raises(BenchError) as caught:
        check_hyperparameters("shrink", registry.load_method(shrink), toy.MINI, asked)
    assert reason in str(caught.value)


def test_what_the_track_declares_for_direct_may_be_asked_for():
    direct = registry.load_method("direct")
    check_hyperparameters("direct", direct, registry.track("ct"), {"window": "hann"})
    with pytest.raises(BenchError, match="Did you mean window"):
        check_hyperparameters("direct", direct, registry.track("ct"), {"windw": "hann"})


def test_the_track_fills_in_what_the_constructor_asks_for():
    built = build(registry.load_method("unet"), registry.track("qsm"), {"width": 2, "levels": 1})
    assert any(parameter.ndim == 5 for parameter in built.parameters())
    assert set(constructor_defaults(registry.load_method("unet"))) == {"width", "levels", "consistent"}


@pytest.mark.parametrize("value", ["yes", 1, 0.0, None])
def test_a_switch_is_true_or_false(value):
    unet = registry.load_method("unet")
    check_hyperparameters("unet", unet, registry.track("mri:mini"), {"consistent": True})
    with pytest.raises(BenchError, match="is neither true nor false, and its default is False"):
        check_hyperparameters("unet", unet, registry.track("mri:mini"), {"consistent": value})
