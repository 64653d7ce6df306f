"""Weights used in place of a training: what a run has learned, by its key, or published ones, by their SHA-256.

A run keeps as its checkpoint what it has learned. Published weights stay where their user has put them: no run
directory holds a copy.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bench.contract import registry
from bench.contract.construct import asked_of_track, build
from bench.data import cache, weights
from bench.errors import BenchError
from bench.places import partial, partials, runs, store
from bench.runs import provenance, run_directory
from bench.runs.key import digest, scored
from bench.runs.records import Result, finished
from bench.runs.spec import VERIFY
from bench.runs.store import held

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from bench.contract.method import Method
    from bench.contract.task import Track
    from bench.runs.spec import Spec

CHECKPOINT = "checkpoint.ckpt"
KEPT = 30 * 86400.0  # seconds that a training is kept which nobody goes on with
INNER = "inner"  # the record of the inner method in the record of a training
MAKES_INNER = {
    *("seed", "control", "precision", "accumulate", "compile", "accelerator", "threads"),
    *("task_sources", "protocol_version", "versions"),
}  # fields of a spec that change its inner method


def find(key: str, method: str) -> str:
    """The whole key of the finished run that ``key`` begins, of which ``method`` can use what it has learned.

    The SHA-256 of published weights of ``method`` stays as it is.
    """
    if weights.is_hash(key):
        return weights.find(weights.by_hash(key).name, method).sha256
    found = [path for path in sorted(runs().glob("*")) if key and path.name.startswith(key) and finished(path)]
    if len(found) != 1:
        if found:
            raise BenchError(f"{key!r} begins the keys of {len(found)} finished runs in {runs()}: give more of it.")
        raise BenchError(
            f"{key!r} is the key of no finished run in {runs()}, where a run's directory is named by its key. "
            "`bench import` brings runs of other machines."
        )
    result = Result.read(found[0] / "result.json")
    if method not in (result.method, result.method.partition(registry.JOINED)[0]):
        raise BenchError(f"the run {result.key} is of {result.method}, which {method} cannot go on from.")
    if not (found[0] / CHECKPOINT).exists():
        raise BenchError(f"the run {result.key} of {method} keeps nothing learned: it has no {CHECKPOINT}.")
    run_directory.check(found[0], result, CHECKPOINT)
    return result.key


def clear_interrupted() -> None:
    """Remove the trainings that nobody will go on with: their run has ended since, or they lay untouched for a month.

    A training that a process works on is left alone.
    """
    for folder in partials().glob("[0-9a-f]*"):
        with suppress(OSError):  # removed by another command, say
            touched = max(path.stat().st_mtime for path in [folder, *folder.iterdir()])
            run_dir = runs() / folder.name
            ended = finished(run_dir) and (run_dir / run_directory.RESULT).stat().st_mtime > touched
            if (ended or time.time() - touched > KEPT) and not held(store() / "claims" / folder.name):
                shutil.rmtree(folder)


def owner_of(spec: Spec, folder: Path) -> str:
    """The name of a training in ``folder``, by which it is gone on with: the same run, and of equal code."""
    name = folder.relative_to(partials()).as_posix()
    return f"{name} by the uncommitted code {provenance.source_hash()}" if spec.dirty_reason else name


def place_of_inner(spec: Spec, name: str, track: Track) -> Path:
    """The file of the inner method ``name`` of a run, ready for ``track``: in the cache, by all that made it.

    Code that is not committed counts with all its files. A run on several devices has a file of its own, so that all
    its processes find it or all make it, and so has one that verifies an entry: it makes everything again.
    """
    if spec.devices > 1 or spec.label == VERIFY:
        return partial(spec.key) / "inner.pt"
    made_by = {
        "format": 1,
        "method": name,
        "code": spec.method.inner_code,
        "track": track.id,
        "scored": scored(track, learned=True),
        "uncommitted": provenance.source_hash() if spec.dirty_reason else "",
        **spec.model_dump(include=MAKES_INNER),
    }
    return cache.folder() / f"inner-{digest(made_by)}.pt"


def remade(
    method: type[Method], track: Track, key: str, hyperparameters: Mapping[str, Any], inner: Iterable[str] = ()
) -> Method:
    """An instance for what the run ``key`` has learned; its inner method has the hyperparameters chosen in that run.

    ``inner`` holds the reference of the inner method, if it has no name.
    """
    if not method.inner:
        return build(method, track, hyperparameters)
    training = Result.read(runs() / key / "result.json").training
    if INNER not in training:  # it was new
        return build(method, track, {**hyperparameters, **dict(zip([method.inner], inner, strict=False))})
    chosen = training[INNER]
    reference = next(iter(inner), chosen["method"])
    made = build(registry.load_method(reference), track.of_images(), chosen["hyperparameters"])
    return build(method, track, {**hyperparameters, method.inner: made})


def restore(method: Method, track: Track, key: str) -> dict[str, Any]:
    """Gives a method, made for ``track``, what the run ``key`` has learned; returns the record of that training."""
    if weights.is_hash(key):
        return restore_published(method, weights.by_hash(key))
    import torch

    result = Result.read(runs() / key / "result.json")
    source = registry.track(f"{result.task}:{result.track}")
    for name in asked_of_track(type(method)):
        theirs, ours = getattr(source, name), getattr(track, name)
        if theirs != ours:  # weights may have one shape for both, as 8x8 pixels and 4x4x4 have
            raise BenchError(f"the run {key} learned on {source.id}, where {name}={theirs}; {track.id} has {ours}.")
    run_directory.check(runs() / key, result, CHECKPOINT)
    try:
        checkpoint = torch.load(runs() / key / CHECKPOINT, map_location="cpu", weights_only=True)
        method.load_state_dict(checkpoint["state_dict"])
    except Exception as error:  # a damaged file raises whatever its bytes suggest
        line = " ".join(str(error).split())[:200]
        raise BenchError(
            f"what the run {key} learned on {result.task}:{result.track} does not fit: {line}. "
            f"It was asked for with {dict(result.requested)}; ask for the same, on a track of such images."
        ) from None
    return {**result.training, "learned_by": key, "learned_on": f"{result.task}:{result.track}"}


def restore_published(method: Method, published: weights.Weights) -> dict[str, Any]:
    """Gives a method published weights; returns the record of their training."""
    _, state = read_published(type(method), published)
    try:
        method.load_state_dict(state)
    except RuntimeError as error:
        line = " ".join(str(error).split())[:200]
        raise BenchError(
            f"the weights {published.name} do not fit {type(method).__name__} here: {line}. "
            "They are made for the images of their paper: ask for a track of such images."
        ) from None
    return published.record()


def published_settings(method: type[Method], key: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters with published weights: of their network, and the asked ones, which may not contradict."""
    if not weights.is_hash(key):
        return dict(asked)
    published = weights.by_hash(key)
    theirs, _ = read_published(method, published)
    for name, value in theirs.items():
        if asked.get(name, value) != value:
            raise BenchError(f"the weights {published.name} are of {name}={value}, not of {name}={asked[name]}.")
    return {**asked, **theirs}


def read_published(method: type[Method], published: weights.Weights) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The hyperparameters and the state of published weights. Raises `BenchError` where they are another network's."""
    from bench.contract.method import LearnedMethod

    if not issubclass(method, LearnedMethod):
        raise BenchError(f"{method.__name__} learns nothing, so that it has no weights.")
    tensors = weights.tensors(published)
    try:
        return method.published(published.name, tensors)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise BenchError(f"the weights {published.name} are not of {method.__name__}: {line}.") from None
