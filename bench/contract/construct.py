"""A method with its hyperparameters: what its constructor takes, whether asked values fit, and the instance."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.contract import registry
from bench.contract.space import Choice, Float, Int, Range
from bench.errors import BenchError, unknown

if TYPE_CHECKING:
    from bench.contract.method import Method
    from bench.contract.task import Track

FROM_TRACK = ("channels", "classes", "dims", "measured_channels")  # constructor arguments that the track fills in


def parameters(method: type[Method]) -> Mapping[str, inspect.Parameter]:
    """The arguments of the constructor; none where a method has no constructor of its own (Lightning's takes any)."""
    from bench.contract.method import Method

    own = method.__mro__[: method.__mro__.index(Method)]
    return inspect.signature(method).parameters if any("__init__" in vars(base) for base in own) else {}


def open_ended(method: type[Method]) -> bool:
    """Whether the constructor takes arguments of any name."""
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters(method).values())


def build(method: type[Method], track: Track, hyperparameters: Mapping[str, Any]) -> Method:
    """An instance with the given hyperparameters and with the facts that its constructor asks of the track.

    An inner method that is given by its name, or by default, is made with its default hyperparameters.
    """
    known = {name: getattr(track, name) for name in asked_of_track(method)}
    if method.inner:
        given = {**constructor_defaults(method), **hyperparameters}[method.inner]
        if isinstance(given, str):
            inner = registry.load_method(given)
            check_inner(given, inner)
            hyperparameters = {**hyperparameters, method.inner: build(inner, track.of_images(), {})}
    return method(**known, **hyperparameters)


def check_inner(name: str, method: type[Method]) -> None:
    """Raise a `BenchError` where a method cannot serve another one as its inner method."""
    if method.returns != ("image",) or method.inner or method.sees_truth:
        raise BenchError(
            f"{name} cannot be the inner method of another: that one returns an image alone, and by itself."
        )


def asked_of_track(method: type[Method]) -> list[str]:
    """The constructor's arguments that the track fills in."""
    return [name for name in parameters(method) if name in FROM_TRACK]


def constructor_defaults(method: type[Method]) -> dict[str, Any]:
    """The hyperparameters that the constructor states, with their default values."""
    return {
        name: parameter.default
        for name, parameter in parameters(method).items()
        if parameter.default is not inspect.Parameter.empty and name not in FROM_TRACK
    }


def check_space(method: type[Method], track: Track) -> Mapping[str, Range]:
    """The search space of a method on a track. Raises `BenchError` where its declaration breaks the contract."""
    space = method.space(track)
    if method.learned and space:
        raise BenchError(f"{method.__name__} learns and has a search space. A method that learns has one recipe.")
    if method.inner and space:
        raise BenchError(f"{method.__name__} has a search space. A method with an inner method leaves tuning to that.")
    for name, values in space.items():
        if not isinstance(values, Float | Int | Choice):
            raise BenchError(f"the range of {name!r} is {values!r}. Declare it as Float, Int or Choice (bench).")
        if isinstance(values, Float | Int) and not values.low < values.high:
            raise BenchError(f"the range of {name!r} goes from {values.low} to {values.high}. low must be below high.")
        if isinstance(values, Float | Int) and values.log and values.low <= 0:
            raise BenchError(f"the logarithmic range of {name!r} starts at {values.low}. It must start above 0.")
        if name not in parameters(method) and not open_ended(method):
            raise BenchError(f"{name!r} is searched, but the constructor has no such argument.")
    return space


def unsupported(method: type[Method], track: Track, inner: str = "") -> str:
    """Why a method does not apply to a track; "" where it does. Raises `BenchError` where `supports` answers oddly.

    A track and a method fit where the method returns what the primary metric is of, and the track has a target for each
    finding that is learned. The ``inner`` method, by default the constructor's, must apply to the track's images.
    """
    if track.primary.of not in method.returns:
        return f"it returns no {track.primary.of}, by which the track ranks"
    if method.learned and "finding" in method.returns and not track.classes:
        return "it learns from a target, and the track has none"
    if method.inner:
        images, inner = track.of_images(), inner or constructor_defaults(method)[method.inner]
        if not images.metrics:
            return "the track has no score of an image, by which the inner method could be tuned"
        if theirs := unsupported(registry.load_method(inner), images):
            return f"{inner}: {theirs}"
    reason = method.supports(track)
    if reason is None:
        return ""
    if not isinstance(reason, str) or not reason.strip():
        raise BenchError(f"supports() returned {reason!r}. It returns None, or the reason why not as a text.")
    return " ".join(reason.split())


def check_hyperparameters(name: str, method: type[Method], track: Track, asked: Mapping[str, Any]) -> None:
    """Raise a `BenchError` where the method has no hyperparameter of an asked name, or does not take its value."""
    if not asked:
        return
    named = {key: p for key, p in parameters(method).items() if p.kind is not inspect.Parameter.VAR_KEYWORD}
    known = (named.keys() - {*FROM_TRACK, method.inner}) | set(method.space(track))
    for key, value in asked.items():
        if key not in known:
            raise unknown(f"hyperparameter of {name}", key, known | {method.inner} - {""})
        if key in named and (reason := misfit(value, named[key], method.space(track).get(key))):
            raise BenchError(f"{name}:{key}={value} {reason}, and its default is {named[key].default}.")
    if not unsupported(method, track):
        words = ",".join(f"{key}={value}" for key, value in asked.items())
        try:
            build(method, track, asked)
        except BenchError as error:
            raise BenchError(f"{name}:{words} cannot be made: {error}") from error
        except Exception as error:
            raise BenchError(f"{name}:{words} cannot be made: {type(error).__name__}: {error}") from error


def misfit(value: Any, parameter: inspect.Parameter, searched: Range | None) -> str:
    """Why a hyperparameter cannot have this value, by its default or annotation and by its range; "" where it can."""
    default = parameter.default
    if type(default) is bool:
        return "" if type(value) is bool else "is neither true nor false"
    whole = type(default) is int or (default is None and "int" in str(parameter.annotation))
    if not (whole or type(default) is float) or (value is None and default is None):
        return ""
    if type(value) not in (int, float) or not math.isfinite(value):
        return "is not a finite number"
    if whole and type(value) is float:
        return "is not a whole number"
    least = 0 if whole else searched.low if isinstance(searched, Float | Int) else -math.inf
    return "is negative" if value < 0 <= least else ""
