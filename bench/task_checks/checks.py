"""The checks of a task, by name, and their outcomes on its tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bench.contract import registry
from bench.contract.checks import NOT_TRIED, Outcome, attempt
from bench.contract.task import Track
from bench.data.manifest import need
from bench.errors import BenchError
from bench.task_checks import declaration, findings, operators, samples
from bench.task_checks.opened import Opened


def check(name: str) -> Iterator[Outcome]:
    """Every check of a task, or of one track ``task:track``, each outcome as soon as it is known.

    Of a track whose data are not on this machine the declaration is checked alone, and one outcome says so.
    """
    stem = name.partition(":")[0]
    task = registry.load_task(stem)
    tracks = [registry.track(name)] if ":" in name else task.tracks
    yield attempt(f"{stem}: names", partial(declaration.has_its_names, stem, task))
    for track in tracks:
        yield from check_track(Opened(task, track))


def check_track(opened: Opened) -> Iterator[Outcome]:
    """Every check of one track. Where it cannot be opened, no further check is tried."""
    track = opened.track
    for name, test in DECLARATION_CHECKS.items():
        yield attempt(f"{track.id}: {name}", partial(test, opened))
    reason = lacking(track)
    if reason:
        yield Outcome(f"{track.id}: {NOT_TRIED}", True, reason)
        return
    for name, test in (TRACK_CHECKS | (FINDING_CHECKS if track.classes else {})).items():
        outcome = attempt(f"{track.id}: {name}", partial(test, opened))
        yield outcome
        if test is samples.opens and not outcome.passed:
            return


def lacking(track: Track) -> str:
    """What the data of a track lack on this machine, and the remedy; empty where they are at hand."""
    try:
        for name in track.data:
            need(name)
    except BenchError as error:
        return str(error)
    return ""


DECLARATION_CHECKS: dict[str, Callable[[Opened], None]] = {
    "plain data": declaration.is_plain_data,
    "budget": declaration.has_a_budget,
    "metrics": declaration.has_metrics,
    "hash of what moves a score": declaration.has_a_hash_of_its_fields,
}
TRACK_CHECKS: dict[str, Callable[[Opened], None]] = {
    "opens": samples.opens,
    "splits share nothing": samples.keeps_splits_apart,
    "shape, dtype, finite": samples.has_the_declared_shape,
    "the same bits again": samples.measures_the_same_again,
    "shifts": samples.has_shifts,
    "training batches": samples.makes_training_batches,
    "A maps x to y": operators.maps_the_image_to_the_measurement,
    "A has its adjoint": operators.has_its_adjoint,
    "physics is fresh": operators.is_fresh,
    "direct: defaults": operators.declares_the_defaults_of_direct,
    "direct: hyperparameters": operators.direct_takes_its_hyperparameters,
    "a better image scores better": operators.scores_a_better_image_better,
}
FINDING_CHECKS: dict[str, Callable[[Opened], None]] = {
    "targets on the grid of x": findings.has_targets_on_the_grid,
    "the true finding scores best": findings.scores_the_truth_best,
}
