"""The spec of a run: everything it is asked to do, frozen with its key and its sources before anything starts."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from bench.contract import registry
from bench.contract.reads import Watch
from bench.data.weights import by_hash, is_hash
from bench.errors import BenchError
from bench.runs import key, provenance
from bench.runs.key import digest
from bench.sealed import Hash, Key, Label, Name, Record

if TYPE_CHECKING:
    from bench.contract.method import Method
    from bench.runs.records import Result

SHORT_KEY = 8  # digits of a key that tell runs apart for a reader
LONGEST_LABEL = 120
VERIFY = "verify"  # label of a run that checks an entry
HOW = {"precision": "32-true", "accumulate": 1, "compile": False}  # a training computes, unless asked otherwise
TRUTH = {"true": True, "false": False}
REFERENCE = re.compile(r"([A-Z]\.[ -]?)+ ?\S.*\b(18|19|20)\d\d\b")  # P. Getreuer, ..., 2012


Precision = Literal["32-true", "bf16-mixed"]  # as Lightning names them


class MethodDescription(Record):
    """A method as a process of its own found it: its declarations on one track, and its sources."""

    name: Name
    family: Name
    reference: str  # as it is loaded: a name, or the absolute path of a file
    equation: str  # first line of the docstring of its module
    citation: str
    sources: dict[str, Hash]
    code: Hash
    learned: bool
    unsupported: str  # why it does not apply to the track; "" where it does
    inner: dict[str, str] = Field(default_factory=dict)  # {argument: its inner method as it is loaded}
    inner_code: str = ""  # hash of the sources of the inner method
    sees_truth: bool = False
    space: dict[str, str]  # of hyperparameters, each range as text
    recipe: dict[str, Any]  # constants of a training
    files: dict[str, str]  # text of its sources, where they lie outside of this repository


class Spec(Record):
    """One (track, method, requested hyperparameters, seed): what is run, how, and from which code."""

    key: Key
    group: Key
    track: str
    track_version: int
    scored: Hash
    budget: dict[str, Any]
    method: MethodDescription
    task_sources: dict[str, Hash]  # of a task from outside of this repository
    search: Hash  # of search space, budget and recipe
    hyperparameters: dict[str, Any]  # requested
    seed: int
    seeds: list[int]  # asked for together
    limit: int | None  # only so many test images
    steps: int | None  # training steps other than the track's
    precision: Precision = "32-true"
    accumulate: int = 1  # parts of each batch of a training
    compile: bool = False
    label: Label
    control: Literal["", "defaults", "oracle", "truth"]
    checkpoint: str  # key of the run, or SHA-256 of published weights, used in place of a training
    devices: int
    accelerator: Literal["cpu", "cuda"]
    threads: int
    protocol_version: int
    versions: dict[str, str]
    commit: str
    method_commit: str = ""  # of the repository of a method from outside
    dirty_reason: str
    command: str

    @property
    def name(self) -> str:
        """The method as the board names it."""
        return f"{self.method.name}@{self.label}" if self.label else self.method.name

    @property
    def protocol(self) -> bool:
        """Whether nothing was asked for beyond the track's protocol."""
        beyond = self.hyperparameters or self.control not in ("", "truth") or self.checkpoint
        return not beyond and self.limit is None and self.steps is None and not computing(self)


class Wish(Record):
    """What a command line asks of every (track, method, seed)."""

    seeds: list[int]
    limit: int | None = None
    steps: int | None = None
    precision: Precision = "32-true"
    accumulate: int = 1
    compile: bool = False
    label: str = ""  # `board_label` checks it
    control: Literal["", "defaults", "oracle"] = ""
    checkpoint: str = ""
    devices: int = 1
    accelerator: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1


def computing(asked: Spec | Wish) -> dict[str, Any]:
    """How a training computes where it was asked for: the choices that are not the default."""
    return {name: value for name, default in HOW.items() if (value := getattr(asked, name)) != default}


def search_hash(description: MethodDescription, budget: Mapping[str, Any]) -> str:
    return digest({"space": description.space, "budget": dict(budget), "recipe": description.recipe})


def board_label(wish: Wish, hyperparameters: Mapping[str, Any]) -> str:
    """The label on the board: as given, else what was asked for beyond the protocol.

    Raises `BenchError` where it would not fit into the name of a file.
    """
    published = is_hash(wish.checkpoint)
    options = {
        "steps": wish.steps,
        **computing(wish),
        "limit": wish.limit,
        "checkpoint": wish.checkpoint[:SHORT_KEY] if wish.checkpoint and not published else None,
    }
    asked = {**hyperparameters, **{name: value for name, value in options.items() if value is not None}}
    words: list[str] = [wish.control] if wish.control else []
    words += [by_hash(wish.checkpoint).label] if published else []
    text = wish.label or ",".join([*words, *(f"{name}={value}" for name, value in asked.items())])
    if not re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.,=+-]*)?", text) or len(text) > LONGEST_LABEL:
        raise BenchError(
            f"the label {text[:60]!r} cannot name a file: it takes up to {LONGEST_LABEL} letters A-Z, digits "
            "and any of _.,=+-. Give another by --label."
        )
    return text


def command(track: str, method: str, hyperparameters: Mapping[str, Any], wish: Wish, explicit_cpu: bool) -> str:
    """The command line that repeats a run and the runs of its other seeds."""
    asked = ",".join(f"{name}={value}" for name, value in hyperparameters.items())
    words = [f"BENCH_THREADS={wish.threads}"] if wish.threads != 1 else []
    words += ["bench", "run", track, "-m", f"{method}:{asked}" if asked else method]
    words += ["--seed", *map(str, wish.seeds)]
    words += ["--limit", str(wish.limit)] if wish.limit is not None else []
    words += ["--steps", str(wish.steps)] if wish.steps is not None else []
    words += ["--precision", wish.precision] if wish.precision != HOW["precision"] else []
    words += ["--accumulate", str(wish.accumulate)] if wish.accumulate > 1 else []
    words += ["--compile"] if wish.compile else []
    if is_hash(wish.checkpoint):
        words += ["--weights", by_hash(wish.checkpoint).name]
    elif wish.checkpoint:
        words += ["--checkpoint", wish.checkpoint]
    words += [f"--{wish.control}"] if wish.control else []
    words += ["--label", wish.label] if wish.label else []
    words += ["--devices", str(wish.devices)] if wish.devices > 1 else []
    words += ["--cpu"] if explicit_cpu else []
    return shlex.join(words)


def parse_method(text: str) -> tuple[str, dict[str, Any]]:
    """``tv:lam=0.1,iterations=50`` as a name (or path) and hyperparameters.

    Values are Python literals, true and false, or words.
    """
    name, _, assignments = text.partition(":")
    hyperparameters: dict[str, Any] = {}
    for assignment in filter(None, assignments.split(",")):
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise BenchError(f"cannot read {assignment!r} in {text!r}. Write METHOD:name=value,name=value.")
        if key.strip() in hyperparameters:
            raise BenchError(f"{text!r} gives {key.strip()!r} twice. Give one value.")
        try:
            hyperparameters[key.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            hyperparameters[key.strip()] = TRUTH.get(value.strip(), value.strip())
    return name, hyperparameters


def asks_for(text: str, result: Result) -> bool:
    """Whether ``text`` asks for a finished run: by its row, its method, the outer one of its methods, or as `-m` does.

    An empty text asks for all.
    """
    outer = result.method.partition(registry.JOINED)[0]
    if text in ("", result.name, result.method, outer):
        return True
    reference, values = parse_method(text)
    name = Path(reference).stem if reference.endswith(".py") else reference
    named = {key: Path(value).stem if str(value).endswith(".py") else value for key, value in values.items()}
    return name in (result.method, outer) and named.items() <= result.hyperparameters.items()


def citation_of(docstring: str) -> str:
    """The references in a method's docstring, on one line: the paragraphs in which an author is named before a year."""
    paragraphs = (" ".join(part.split()) for part in docstring.split("\n\n")[1:])
    return " ".join(part for part in paragraphs if REFERENCE.match(part))


def load(spec: Spec) -> tuple[type[Method], Watch | None]:
    """The method of a spec, and a watch on the files that it opens.

    Raises `BenchError` where its files, or its track, are no longer what the spec froze.
    """
    reference = spec.method.reference
    folder = registry.method_folder(reference)
    watch = Watch(folder) if folder is not None else None
    method = registry.load_method(reference)
    folder = folder or Path(inspect.getfile(method)).parent
    folders = [folder, *(registry.method_folder(inner) or folder for inner in spec.method.inner.values())]
    files = {name: place_in(folders, name) for name in spec.method.sources}
    for name, path in files.items():
        if provenance.file_hash(path) != spec.method.sources[name]:
            raise BenchError(f"{name} was edited after the command had started. Type the command again.")
    if watch is not None:
        watch.settle(files.values())
    track = registry.track(spec.track)
    if (
        key.scored(track, spec.method.learned) != spec.scored
        or provenance.task_sources(track.task) != spec.task_sources
    ):
        raise BenchError(f"the track {spec.track} was edited after the command had started. Type the command again.")
    return method, watch


def place_in(folders: Sequence[Path], name: str) -> Path:
    """The file of a source, of the method or of its inner method."""
    places = [provenance.source_path(name, folder) for folder in folders]
    return next((path for path in places if path.is_file()), places[0])
