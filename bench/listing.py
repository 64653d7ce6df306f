"""What `bench list` shows: all tracks and methods without importing them, or one of them in detail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from bench.contract import registry
from bench.contract.registry import MethodFile
from bench.contract.space import Choice, Range
from bench.contract.task import Track
from bench.data import cache, sizes
from bench.errors import BenchError, unknown
from bench.places import ROOT, store
from bench.runs import key, provenance


def names(what: str | None) -> dict[str, list[dict[str, Any]]]:
    """Tracks, methods or both, for programs."""
    if what not in (None, "tasks", "methods"):
        raise BenchError(f"as JSON there are tasks and methods, not {what!r}. Leave out --json.")
    listing: dict[str, list[dict[str, Any]]] = {}
    if what != "methods":
        listing["tasks"] = [
            {
                "track": one.id,
                "title": one.title,
                "version": one.version,
                "metrics": [metric.name for metric in one.metrics],
                "data": list(one.data),
            }
            for one in registry.all_tracks()
        ]
    if what != "tasks":
        listing["methods"] = [
            {"name": one.name, "family": one.family, "summary": one.summary} for one in registry.methods().values()
        ]
    return listing


def lines(what: str | None) -> Iterator[str]:
    """For readers: everything, ``tasks``, ``methods``, the tracks of a task, or a track or a method in detail."""
    if what in (None, "tasks"):
        yield "TRACKS"
        yield from map(track_line, registry.all_tracks())
    if what in (None, "methods"):
        yield "METHODS"
        yield from map(method_line, registry.methods().values())
    if what in (None, "tasks", "methods"):
        return
    if ":" in what:
        yield from track_lines(registry.track(what))
    elif what in registry.tasks():
        yield from map(track_line, registry.load_task(what).tracks)
    elif what.endswith(".py") or what in registry.methods():
        yield from method_lines(what)
    else:
        raise unknown("task, track or method", what, [*registry.tasks(), *registry.methods()])


def track_line(track: Track) -> str:
    return f"  {track.id:26}{track.title}  [{', '.join(track.data) or 'embedded'}]"


def method_line(method: MethodFile) -> str:
    return f"  {method.name:22}{method.family:17}{method.summary}"


def track_lines(track: Track) -> Iterator[str]:
    budget = track.budget
    yield f"{track.id}, version {track.version}: {track.title}"
    scores = ", ".join(f"{metric.name} [{metric.unit}]" if metric.unit else metric.name for metric in track.metrics)
    yield f"  scores   {scores}; ranked by the first"
    yield f"  tuning   {budget.trials} trials on {budget.images} validation images"
    looks = len(range(budget.look_every, budget.steps, budget.look_every)) + 1
    yield f"  training {budget.steps} steps of {budget.batch} images"
    yield f"           the checkpoint is the best of {looks} looks at {budget.validation_images} validation images"
    yield f"  data     {', '.join(track.data) or 'embedded'}; the splits share no {track.split_unit}"
    parts = [
        f"{split} {images}" + (f" in {groups} groups" if groups != images else "")
        for split, (images, groups) in sizes.kept(track).items()
        if images
    ]
    yield f"  images   {', '.join(parts) or 'counted when a run opens the track'}"
    for name, values in track.direct_space.items():
        yield f"  direct   {name} tuned {describe(values)}"
    if track.citation:
        yield f"  {track.citation}"


def remembered(kind: str, parts: list[Any], make: Callable[[], Any]) -> Any:
    """Plain values from the cache; they are made, by imports of seconds, where it does not hold them.

    Nothing is written where there is no store yet.
    """
    path = cache.folder() / f"{kind}-{key.digest(parts)}.json"
    found = cache.read_values(path)
    if found is None:
        found = make()
        if store().is_dir():
            cache.write_values(path, found)
    return found


def method_lines(name: str) -> Iterator[str]:
    """A method in detail; of one of this repository they are kept in the cache."""
    path = registry.method_file(name).path
    if path is None or not path.is_relative_to(ROOT):
        return describe_method(name)
    parts = [name, provenance.source_hash(), provenance.versions(), sorted(one.id for one in registry.all_tracks())]
    return iter(remembered("method", parts, lambda: list(describe_method(name))))


def describe_method(name: str) -> Iterator[str]:
    from bench.contract.construct import FROM_TRACK, unsupported

    file, method = registry.method_file(name), registry.load_method(name)
    yield f"{file.name} ({file.family}): {file.summary}"
    if method.learned:
        yield "  learns on the training split, by one recipe"
    parameters = inspect.signature(method).parameters
    spaces = [method.space(track) for track in registry.all_tracks() if not unsupported(method, track)]
    searched = {name: dict.fromkeys(describe(space[name]) for space in spaces if name in space) for name in parameters}
    rows = [
        (name, str(parameter.default), ", or ".join(searched[name]))
        for name, parameter in parameters.items()
        if name not in FROM_TRACK and parameter.default is not inspect.Parameter.empty
    ]
    width = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for name, default, ranges in rows:
        yield f"  {name:{width[0]}}  {default:{width[1]}}  {'tuned ' if ranges else ''}{ranges}".rstrip()


def describe(values: Range) -> str:
    if isinstance(values, Choice):
        return "over " + ", ".join(map(str, values.values))
    return f"from {values.low:g} to {values.high:g}{' (log)' if values.log else ''}"
