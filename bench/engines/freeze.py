"""From a command line to specs: methods are described, and everything a run depends on is frozen before it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contract import registry
from bench.contract.task import Track
from bench.data import manifest as data
from bench.data import weights
from bench.engines.describe import describe_all
from bench.engines.engine import Engine
from bench.errors import BenchError
from bench.places import ROOT
from bench.runs import checkpoints, key, provenance
from bench.runs.spec import (
    HOW,
    MethodDescription,
    Spec,
    Wish,
    board_label,
    command,
    computing,
    parse_method,
    search_hash,
)

Report = Callable[[str], None]


def freeze(
    tracks: Sequence[str], methods: Sequence[str], wish: Wish, engine: Engine, report: Report, *, explicit_cpu: bool
) -> tuple[list[Spec], int]:
    """A spec for every (track, method, seed), one per key, and the number of methods and tracks that could not be read.

    A wrong name, hyperparameter or label raises a `BenchError` before anything runs. A track whose data are missing
    and a method that cannot be imported are reported and left out.
    """
    usable, failures = [], 0
    for track in registry.select_tracks(tracks):
        try:
            for name in track.data:
                data.need(name)  # missing data are no fault of a method
            usable.append(track)
        except BenchError as error:
            report(f"failed  {track.id}: {error}")
            failures += 1
    asked = [parse_method(text) for text in methods]
    check_distinct([name for name, _ in asked])
    described = describe_all(asked, usable, engine)
    for (name, _), answer in zip(asked, described, strict=True):
        if isinstance(answer, str):
            report(f"failed  {name}: {answer}")
            failures += 1
    specs: dict[str, Spec] = {}
    for track in usable:
        for (_, hyperparameters), answer in zip(asked, described, strict=True):
            if not isinstance(answer, str):
                for spec in specs_of(track, answer[track.id], hyperparameters, wish, explicit_cpu):
                    specs[spec.key] = spec
    return list(specs.values()), failures


def check_distinct(names: Iterable[str]) -> None:
    """Raise a `BenchError` where two files would give two methods one name."""
    found: dict[str, str] = {}
    for reference in map(registry.absolute, names):
        name = registry.method_file(reference).name
        if found.setdefault(name, reference) != reference:
            raise BenchError(f"{found[name]} and {reference} would both be the method {name!r}. Rename one file.")


def specs_of(
    track: Track, method: MethodDescription, hyperparameters: Mapping[str, Any], wish: Wish, explicit_cpu: bool
) -> list[Spec]:
    """The specs of one method on one track, one per seed.

    With published weights a method counts as one that learns nothing from the track. An inner method is part of the
    method, no hyperparameter.
    """
    hyperparameters = {name: value for name, value in hyperparameters.items() if name not in method.inner}
    checkpoint = checkpoints.find(wish.checkpoint, method.name) if wish.checkpoint else ""
    if weights.is_hash(checkpoint):
        weights.refuse_overlap(weights.by_hash(checkpoint), track)
        method = method.model_copy(update={"learned": False})
    trains = method.learned and not wish.checkpoint
    wish = wish.model_copy(update={"checkpoint": checkpoint})  # the whole key, of which a part may have been given
    if not trains:
        wish = wish.model_copy(update=HOW | {"steps": None})
    budget = (track.budget if wish.steps is None else replace(track.budget, steps=wish.steps)).scored(method.learned)
    search = search_hash(method, budget)
    head, changed = provenance.commit()
    own, outside = provenance.commit_outside(sources_outside(method)) if method.files else ("", "")
    of_task = provenance.task_files(track.task)
    outside_of_task = provenance.commit_outside(of_task)[1] if of_task else ""
    common: dict[str, Any] = {
        "track": track.id,
        "track_version": track.version,
        "task_sources": provenance.task_sources(track.task),
        "scored": key.scored(track, method.learned),
        "budget": budget,
        "search": search,
        "hyperparameters": dict(hyperparameters),
        "limit": wish.limit,
        "steps": wish.steps,
        **computing(wish),  # part of the key where it is asked for
        "label": board_label(wish, hyperparameters),
        "control": "truth" if method.sees_truth else wish.control,
        "checkpoint": checkpoint,
        "devices": wish.devices,
        "accelerator": wish.accelerator,
        "threads": wish.threads,
        "protocol_version": key.PROTOCOL,
        "versions": provenance.scoring_versions(),
    }
    identity = {**common, "method": method.name, "sources": method.sources}
    words = {name: shown(inner) for name, inner in method.inner.items()} | hyperparameters
    specs = []
    for seed in wish.seeds:
        single, group = key.keys({**identity, "seed": seed})
        specs.append(
            Spec(
                **common,
                key=single,
                group=group,
                method=method,
                seed=seed,
                seeds=wish.seeds,
                commit=head,
                method_commit=own,
                dirty_reason=", ".join(filter(None, [changed, outside, outside_of_task])),
                command=command(track.id, shown(method.reference), words, wish, explicit_cpu),
            )
        )
    return specs


def sources_outside(method: MethodDescription) -> list[Path]:
    """The files of a method that lie outside of this repository, its own file first."""
    file = registry.method_file(method.reference)
    code = registry.installed(file.entry_point) if file.entry_point is not None else None
    path = code.path if code is not None else file.path
    if path is None:
        return []
    folder = (code.package or code.folder) if code is not None else path.parent
    others = [provenance.source_path(name, folder) for name in sorted(method.sources)]
    return list(dict.fromkeys([path, *(one for one in others if not one.is_relative_to(ROOT))]))


def shown(reference: str) -> str:
    """A method in a command that repeats the run: its name, or a path of its file that works.

    From the working directory where the file lies below it, else from the home folder, else from the root: what is
    published keeps none of these (`bench.leaderboard.selection`, `bench.runs.archive`). The inner method of a name
    stands among the hyperparameters.
    """
    path = Path(reference)
    if not path.is_absolute():
        return reference.partition(registry.JOINED)[0]
    if path.is_relative_to(ROOT) and path.stem in registry.methods():
        return path.stem
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
