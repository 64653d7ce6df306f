"""Many runs: describe the methods, freeze a spec for each run, skip finished ones, and fan out over an engine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bench.contract import registry
from bench.contract.task import Track
from bench.data import manifest as data
from bench.engines.console import Console, Report
from bench.engines.describe import TIME, describe
from bench.engines.describe import devices as find_devices
from bench.engines.engine import Engine
from bench.engines.local import LocalEngine, Task
from bench.engines.processes import processors, threads
from bench.engines.run_process import conclude, execute
from bench.errors import BenchError
from bench.places import open_runs, runs, store
from bench.runs import checkpoints, key, provenance
from bench.runs.records import finished
from bench.runs.spec import MethodDescription, Spec, Wish, board_label, command, parse_method, search_hash
from bench.runs.store import Claim, clear_scratch, held, take
from bench.tracking import mlflow as tracking

GRACE = 60.0  # seconds beyond the time of a run, to write and to log it
POLL = 1.0  # seconds between looks at the runs of another command


@dataclass(frozen=True)
class Machine:
    """What this machine offers to runs: GPUs by their names, or none."""

    accelerator: Literal["cpu", "cuda"]
    visible: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.visible) if self.accelerator == "cuda" else processors()

    def jobs(self, devices: int) -> int:
        """As many runs at a time as there are GPUs, or processors, for them."""
        return max(1, self.count // devices // (1 if self.accelerator == "cuda" else threads()))


def look_around(*, cpu: bool) -> Machine:
    """The accelerator to use, found out in a process of its own: a question to CUDA has consequences."""
    if cpu:
        return Machine("cpu", ())
    answer = LocalEngine(1).call(find_devices, seconds=TIME)
    if answer.error:
        raise BenchError(f"cannot tell whether there is a GPU: {answer.error}. Give --cpu to do without.")
    return Machine("cuda" if answer.value else "cpu", tuple(answer.value))


def check_devices(devices: int, machine: Machine) -> None:
    """Raise a `BenchError` where one run asks for more than there are."""
    if devices > machine.count:
        kind = "GPUs" if machine.accelerator == "cuda" else "processors"
        raise BenchError(f"--devices {devices}: this machine has {machine.count} {kind}. Ask for at most that.")


def freeze(
    tracks: Sequence[str], methods: Sequence[str], wish: Wish, engine: Engine, report: Report, *, explicit_cpu: bool
) -> tuple[list[Spec], int]:
    """A spec for every (track, method, seed), one per key, and the number of methods and tracks that could not be read.

    A wrong name, hyperparameter or label raises a `BenchError` before anything runs. A track whose data are missing
    and a method that cannot be imported are told and left out.
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
    registry.check_distinct([name for name, _ in asked])
    names = [track.id for track in usable]
    calls = [
        Task(name, describe, (registry.absolute(name), names, hyperparameters), TIME) for name, hyperparameters in asked
    ]
    described: dict[int, Mapping[str, Any]] = {}
    for ended in engine.work(calls) if usable else ():
        if ended.error:
            wrong_value = ended.error.startswith(("no hyperparameter", f"{ended.task.arguments[0]}:"))
            if wrong_value:
                raise BenchError(ended.error)
            report(f"failed  {ended.task.name}: {ended.error}")
            failures += 1
        else:
            described[calls.index(ended.task)] = ended.value
    specs: dict[str, Spec] = {}
    for track in usable:
        for index, (_, hyperparameters) in enumerate(asked):
            if index in described:
                description = MethodDescription(**described[index][track.id])
                for spec in specs_of(track, description, hyperparameters, wish, explicit_cpu):
                    specs[spec.key] = spec
    return list(specs.values()), failures


def specs_of(
    track: Track, method: MethodDescription, hyperparameters: Mapping[str, Any], wish: Wish, explicit_cpu: bool
) -> list[Spec]:
    """The specs of one method on one track, one per seed."""
    trains = method.learned and not wish.checkpoint
    steps = wish.steps if trains else None  # a method that does not train has no steps
    budget = asdict(track.budget if steps is None else replace(track.budget, steps=steps))
    checkpoint = checkpoints.find(wish.checkpoint, method.name) if wish.checkpoint else ""
    search = search_hash(method, budget)
    head, changed = provenance.commit()
    outside = provenance.uncommitted(Path(method.reference)) if method.files else ""
    common: dict[str, Any] = {
        "track": track.id,
        "track_version": track.version,
        "scored": key.scored(track),
        "budget": budget,
        "search": search,
        "hyperparameters": dict(hyperparameters),
        "limit": wish.limit,
        "steps": steps,
        "label": board_label(wish, hyperparameters, steps),
        "control": wish.control,
        "checkpoint": checkpoint,
        "devices": wish.devices,
        "accelerator": wish.accelerator,
        "threads": wish.threads,
        "protocol_version": key.PROTOCOL,
        "versions": provenance.scoring_versions(),
    }
    identity = {
        **common,
        "method": method.name,
        "sources": method.sources,
        "task_sources": provenance.task_sources(track.task),
    }
    specs = []
    for seed in wish.seeds:
        own, group = key.keys({**identity, "seed": seed})
        specs.append(
            Spec(
                **common,
                key=own,
                group=group,
                method=method,
                seed=seed,
                seeds=wish.seeds,
                commit=head,
                dirty_reason=", ".join(filter(None, [changed, outside])),
                command=command(track.id, shown(method), hyperparameters, wish, explicit_cpu),
            )
        )
    return specs


def shown(method: MethodDescription) -> str:
    """The method in a command that others type: by its name, or by the file that its run directory keeps."""
    return method.name if not method.files else f"{method.name}.py"


def run_grid(specs: Sequence[Spec], engine: Engine, *, force: bool = False, report: Report = print) -> int:
    """Run what is not finished. Returns the number of runs that failed.

    A run that another command works on, here or on another machine with the same store, is left to that command.
    """
    clear_scratch(open_runs())
    planned = {spec.key: spec for spec in specs}
    pending = [spec for spec in planned.values() if force or not finished(runs() / spec.key)]
    done = len(planned) - len(pending)
    if done:
        report(f"{done} of {len(planned)} done, {len(pending)} to go")
    track_again([runs() / spec.key for spec in planned.values() if spec not in pending], report)
    # Longest first: a training starts while there is other work to fill the gaps.
    pending.sort(key=lambda spec: not spec.method.learned)
    console = Console(len(pending), report)
    try:
        while pending:
            claimed = Claimed(pending)
            for ended in engine.work(claimed, tick=lambda: console.show(engine)):
                spec = claimed.release(ended.task)
                console.ended(spec, conclude(spec, ended), ended.seconds)
            pending = claimed.passed_over
            for spec in [spec for spec in pending if not held(claim_path(spec))]:
                if finished(runs() / spec.key):
                    pending.remove(spec)
                    console.elsewhere(spec)
            if pending and not claimed.taken:
                time.sleep(POLL)
    finally:
        clear_scratch(runs())  # of runs that crashed or were stopped
    return console.failures


class Claimed(Iterable[Task]):
    """The tasks of the specs that no other command works on; each is claimed when an engine is ready to start it."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.specs = specs
        self.passed_over: list[Spec] = []
        self.taken: dict[Task, tuple[Spec, Claim]] = {}

    def __iter__(self) -> Iterator[Task]:
        for spec in self.specs:
            claim = take(claim_path(spec))
            if claim is None:
                self.passed_over.append(spec)
                continue
            claim.__enter__()
            seconds = float(spec.budget["seconds"]) + GRACE
            task = Task(f"{spec.track} {spec.name}", execute, (spec.to_json(),), seconds, spec.devices)
            self.taken[task] = spec, claim
            yield task

    def release(self, task: Task) -> Spec:
        spec, claim = self.taken[task]
        claim.__exit__()
        return spec


def claim_path(spec: Spec) -> Path:
    return store() / "claims" / spec.key


def track_again(targets: Sequence[Path], report: Report) -> None:
    """Log the runs that an earlier call finished but could not log."""
    if not tracking.available():
        return
    for target in targets:
        if not tracking.tracked(target):
            tracking.try_to_log(target, report)
