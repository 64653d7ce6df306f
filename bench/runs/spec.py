"""What a run is asked to do, and the key under which its outcome is kept."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import math
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bench.contract import registry
from bench.contract.space import Float, Int, Range
from bench.contract.task import Track
from bench.errors import BenchError, unknown
from bench.runs import provenance

if TYPE_CHECKING:
    from bench.contract.method import Method

RECIPE = ("learning_rate", "gradient_clip", "warm_up")  # of training, stated by the class
FROM_TRACK = ("channels", "dims", "measured_channels")  # constructor arguments that the track fills in
SHORT_KEY = 8  # digits of a key that tell runs apart for a reader


@dataclass(frozen=True)
class Request:
    """One (track, method, requested hyperparameters, seed), and how it is run."""

    track: str
    method: str  # a name, or the path of a file
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    seeds: tuple[int, ...] = (0,)  # asked for together
    limit: int | None = None  # only so many test images
    steps: int | None = None  # training steps other than the track's
    label: str = ""
    devices: int = 1
    accelerator: str = "cpu"
    learned: str = ""  # key of the run whose learned object is used in place of a training

    @property
    def protocol(self) -> bool:
        """Whether nothing was asked for beyond the track's protocol."""
        return not self.hyperparameters and self.limit is None and self.steps is None and not self.learned

    @property
    def board_label(self) -> str:
        """The label on the board: as given, else what was asked for beyond the protocol."""
        if self.label or self.protocol:
            return self.label
        options = {"steps": self.steps, "limit": self.limit, "learned": self.learned[:SHORT_KEY] or None}
        asked = {**self.hyperparameters, **{name: value for name, value in options.items() if value is not None}}
        return ",".join(f"{name}={value}" for name, value in asked.items()).replace("/", "-")

    @property
    def command(self) -> str:
        """The command line that repeats this run and those of its other seeds."""
        asked = ",".join(f"{name}={value}" for name, value in self.hyperparameters.items())
        words = ["bench", "run", self.track, "-m", f"{self.method}:{asked}" if asked else self.method]
        words += ["--seed", *map(str, self.seeds)]
        words += ["--limit", str(self.limit)] if self.limit is not None else []
        words += ["--steps", str(self.steps)] if self.steps is not None else []
        words += ["--learned", self.learned] if self.learned else []
        words += ["--label", self.label] if self.label else []
        words += ["--devices", str(self.devices)] if self.devices > 1 else []
        words += ["--cpu"] if self.accelerator == "cpu" and provenance.accelerator() == "cuda" else []
        return shlex.join(words)


def requested_track(request: Request) -> Track:
    """The track of a request, with the training steps that it asks for."""
    track = registry.track(request.track)
    if request.steps is None:
        return track
    return replace(track, budget=replace(track.budget, steps=request.steps))


def parse_method(text: str) -> tuple[str, dict[str, Any]]:
    """``tv:lam=0.1,iterations=50`` as a name (or path) and hyperparameters; values are Python literals or words."""
    name, _, assignments = text.partition(":")
    hyperparameters: dict[str, Any] = {}
    for assignment in filter(None, assignments.split(",")):
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise BenchError(f"cannot read {assignment!r} in {text!r}. Write METHOD:name=value,name=value.")
        try:
            hyperparameters[key.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            hyperparameters[key.strip()] = value.strip()
    return name, hyperparameters


def check_hyperparameters(name: str, method: type[Method], track: Track, asked: Mapping[str, Any]) -> None:
    """Raise a `BenchError` where the method has no hyperparameter of an asked name, or does not take its value."""
    parameters = inspect.signature(method).parameters
    known = {
        key for key, p in parameters.items() if p.kind is not inspect.Parameter.VAR_KEYWORD and key not in FROM_TRACK
    } | set(method.space(track))
    for key, value in asked.items():
        if key not in known:
            raise unknown(f"hyperparameter of {name}", key, known)
        if key in parameters and (reason := misfit(value, parameters[key], method.space(track).get(key))):
            raise BenchError(f"{name}:{key}={value} {reason}, and its default is {parameters[key].default}.")
    if asked and method.supports(track) is None:
        try:
            build(method, track, asked)
        except BenchError:
            raise
        except Exception as error:
            words = ",".join(f"{key}={value}" for key, value in asked.items())
            raise BenchError(f"{name}:{words} cannot be made: {type(error).__name__}: {error}") from error


def misfit(value: Any, parameter: inspect.Parameter, searched: Range | None) -> str:
    """Why a hyperparameter cannot have this value, by its default or annotation and by its range; "" where it can."""
    default = parameter.default
    whole = type(default) is int or (default is None and "int" in str(parameter.annotation))
    if not (whole or type(default) is float) or (value is None and default is None):
        return ""
    if type(value) not in (int, float) or not math.isfinite(value):
        return "is not a finite number"
    if whole and type(value) is float:
        return "is not a whole number"
    least = 0 if whole else searched.low if isinstance(searched, Float | Int) else -math.inf
    return "is negative" if value < 0 <= least else ""


def build(method: type[Method], track: Track, hyperparameters: Mapping[str, Any]) -> Method:
    """An instance with the given hyperparameters and with what it asks to know of the track."""
    known = {name: getattr(track, name) for name in made_for(method)}
    return method(**known, **hyperparameters)


def made_for(method: type[Method]) -> list[str]:
    """What the constructor asks to know of the track."""
    return [name for name in inspect.signature(method).parameters if name in FROM_TRACK]


def constructor_defaults(method: type[Method]) -> dict[str, Any]:
    """The hyperparameters that the constructor states, with their values where nothing else is asked for."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in FROM_TRACK
    }


def identity(request: Request, method: type[Method], track: Track) -> dict[str, Any]:
    """What a run was asked and by what method: the configuration that its key is the hash of.

    Of the referee's and the tasks' code it holds versions, not sources: where that moves a score, the version of the
    track or the metric moves too.
    """
    file = registry.method_file(request.method)
    path = file.path or inspect.getfile(method)
    recipe = (
        {name: getattr(method, name) for name in ("learning_rate", "gradient_clip", "warm_up")}
        if method.learned
        else {}
    )
    return {
        "track": track.id,
        "version": track.version,
        "declared": track.fingerprint(),
        "metrics": {metric.name: metric.version for metric in track.metrics},
        "method": file.name,
        "sources": provenance.sources(provenance.Path(path)),
        "hyperparameters": dict(request.hyperparameters),
        "space": {name: repr(values) for name, values in method.space(track).items()},
        "budget": asdict(track.budget),
        "recipe": recipe,
        "seed": request.seed,
        "limit": request.limit,
        "steps": request.steps,
        "label": request.label,
        "devices": request.devices,
        "accelerator": request.accelerator,
        "versions": provenance.versions(),
        **threads_if_several(),
        **({"learned": request.learned} if request.learned else {}),
    }


def threads_if_several() -> dict[str, str]:
    """Sums in another order may differ in their last bits: runs on several threads have keys of their own."""
    threads = os.environ.get("BENCH_THREADS") or "1"
    return {} if threads == "1" else {"threads": threads}


def keys(configuration: Mapping[str, Any]) -> tuple[str, str]:
    """The key of a run, and of its group: the same without the seed."""
    return _hash(configuration), _hash({**configuration, "seed": None})


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:20]
