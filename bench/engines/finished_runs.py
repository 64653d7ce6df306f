"""`bench time`, `stress`, `observe` and `sensitivity`: finished runs are used again, without tuning or training.

Each writes a record of its own beside the result, which stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contract import registry
from bench.data.weights import is_hash
from bench.engines.local import LocalEngine, Task
from bench.engines.pending_runs import look_around, measuring, working
from bench.errors import BenchError
from bench.places import runs
from bench.runs import checkpoints, provenance
from bench.runs.outcomes import metric_infos
from bench.runs.records import Observed, Result, Sensitivity, Stress, StressPoint, Timing
from bench.runs.run_directory import ADDED, OBSERVED, SENSITIVITY, SENSITIVITY_MAP, STRESS, STRESS_PICTURE, TIMING, add
from bench.runs.spec import asks_for, parse_method
from bench.settings import threads
from bench.tracking import address

if TYPE_CHECKING:
    import torch

    from bench.contract.method import Method
    from bench.contract.task import Track

Report = Callable[[str], None]
Names = Sequence[str]


def time_runs(tracks: Names, methods: Names, *, again: bool, report: Report = print) -> int:
    """Measure the costs of the finished runs of some tracks and methods, one after another; 1 if one failed, else 0.

    Raises `BenchError` where there is no such run, and while another command works on this store.
    """
    return each(tracks, methods, TIMING, measure_run, 600.0, 1, again, report, measuring())


def stress_runs(tracks: Names, methods: Names, *, again: bool, jobs: int | None = None, report: Report = print) -> int:
    """Score the finished runs of some tracks and methods under shifts, without training; 1 if one failed, else 0."""
    return each(tracks, methods, STRESS, stress_run, 3600.0, jobs, again, report, working("stress", report))


def observe_runs(tracks: Names, methods: Names, *, again: bool, jobs: int | None = None, report: Report = print) -> int:
    """Let frozen observers judge the images of finished runs; 1 if one failed, else 0.

    Raises `BenchError` where a track declares no observer.
    """
    check_declared(tracks, "observer", "that could judge images")
    return each(tracks, methods, OBSERVED, observe_run, 3600.0, jobs, again, report, working("observe", report))


def map_runs(tracks: Names, methods: Names, *, again: bool, jobs: int | None = None, report: Report = print) -> int:
    """Map how the findings of finished runs depend on the regions of the object; 1 if one failed, else 0.

    Raises `BenchError` where a track declares no such region.
    """
    check_declared(tracks, "region", "that a finding should come from")
    return each(tracks, methods, SENSITIVITY, map_run, 3600.0, jobs, again, report, working("sensitivity", report))


def check_declared(tracks: Names, field: str, purpose: str) -> None:
    """Raise `BenchError` where a track declares nothing in ``field``."""
    for track in map(registry.track, tracks):
        if not getattr(track, field):
            raise BenchError(f"{track.id} declares no {field} {purpose}: ask for a track that does.")


def each(
    tracks: Names,
    methods: Names,
    file: str,  # the record, made where it can be read
    work: Callable[[str, Report], str],
    limit: float,  # seconds for one run
    jobs: int | None,
    again: bool,
    report: Report,
    claimed: AbstractContextManager[None],
) -> int:
    """Do a work on every finished run that has no record of it yet, under a claim of this command."""
    with claimed:
        found = select(set(tracks), methods)
        if not (chosen := list(dict.fromkeys(path for paths in found.values() for path in paths))):
            wanted = ", ".join(methods) or "any method"
            for method in methods:
                registry.method_file(parse_method(method)[0].partition("@")[0])  # or no such method
            raise BenchError(f"no finished run of {wanted} on these tracks in {runs()}: `bench run` makes one.")
        if missing := [method for method, paths in found.items() if not paths]:
            report(f"no finished run of {', '.join(missing)} on these tracks")
        pending = [folder for folder in chosen if again or not is_made(folder / file)]
        if len(pending) < len(chosen):
            report(f"{len(chosen) - len(pending)} of {len(chosen)} done, {len(pending)} to go")
        machine = look_around(cpu=False)
        engine = LocalEngine(jobs or machine.jobs(1), machine.visible)
        done = []
        tasks = [Task(folder.name, work, (str(folder),), limit) for folder in pending]
        for number, ended in enumerate(engine.work(tasks), 1):
            done += [] if ended.error else [runs() / ended.task.name]
            report(f"[{number}/{len(tasks)}] {(ended.error and f'FAILED: {ended.error}') or ended.value}")
        if file in (OBSERVED, SENSITIVITY, STRESS) and done and address.available():
            from bench.tracking import mlflow

            mlflow.log_all(done, report)  # again, with what is new
    return int(len(done) < len(tasks))


def is_made(record: Path) -> bool:
    """Whether a record lies beside a result and can be read."""
    try:
        ADDED[record.name].read(record)
    except BenchError:
        return False
    return True


def select(tracks: set[str], methods: Names) -> dict[str, list[Path]]:
    """The run directories that hold a result of these tracks, by the method that was asked for; "" asks for all."""
    found: dict[str, list[Path]] = {method: [] for method in methods or [""]}
    for path in sorted(runs().glob("[0-9a-f]*/result.json")):
        try:
            result = Result.read(path)
        except BenchError:
            continue
        if result.status == "ok" and f"{result.task}:{result.track}" in tracks:
            for method in found:
                if asks_for(method, result):
                    found[method].append(path.parent)
    return found


@dataclass(frozen=True)
class FinishedRun:
    """A finished run, its track, and its method with the chosen hyperparameters and the weights."""

    folder: Path
    result: Result
    track: Track
    method: Method
    device: torch.device


def load(folder: Path) -> FinishedRun:
    """Read a finished run. Raises `BenchError` where its code gives other bits now, or its device is not here."""
    import torch

    from bench.leaderboard.publish import is_renewed

    sys.dont_write_bytecode = True  # beside a source that the run directory keeps
    result = Result.read(folder / "result.json")
    row = f"{result.name} on {result.task}:{result.track}"
    outer, _, inner = result.method.partition(registry.JOINED)
    source = folder / "source"  # of methods from outside
    kept = {name: str(path) for name in (outer, inner) if (path := source / f"{name}.py").exists()}
    reference = kept.get(outer, outer if inner in kept else result.method)
    if not kept:
        code = provenance.code_of(provenance.method_sources(reference))
        if code != result.code and not is_renewed(result, code):
            raise BenchError(f"{row}: its code has changed. Run it again first.")
    if result.accelerator == "cuda" and not torch.cuda.is_available():
        raise BenchError(f"{row} ran on a GPU, and here is none.")
    track = registry.track(f"{result.task}:{result.track}")
    inner_file = [kept[inner]] if inner in kept else []
    method = checkpoints.remade(registry.load_method(reference), track, result.key, result.hyperparameters, inner_file)
    if is_hash(result.checkpoint):
        checkpoints.restore(method, track, result.checkpoint)
    elif (folder / checkpoints.CHECKPOINT).exists():
        checkpoints.restore(method, track, result.key)
    elif result.learned:
        raise BenchError(f"{row}: its weights are not here. Run it again by --force.")
    return FinishedRun(folder, result, track, method, torch.device(result.accelerator))


def measure_run(folder: str, report: Report) -> str:
    """Measure one run in this process, write its record, and return a line about it."""
    from bench.evaluation.timing import measure

    run = load(Path(folder))
    track, result = run.track, run.result
    problem = registry.load_task(track.task).open(track)
    cost = measure(run.method, track, problem, run.device, result.seed)
    timing = Timing(
        seconds_per_image=cost.seconds,
        spread=cost.spread,
        repeats=cost.repeats,
        images=cost.images,
        peak_memory_bytes=cost.peak_memory,
        peak_memory="allocated on the GPU" if result.accelerator == "cuda" else "rise of resident size",
        device=provenance.device_name(result.accelerator),
        threads=threads(),
        load=cost.load,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    add(run.folder, timing)
    return f"{track.id}  {result.name}  seed {result.seed}  {cost.seconds:.3g} s an image, of {cost.repeats} repeats"


def stress_run(folder: str, report: Report) -> str:
    """Score one run under every shift in this process, write its record and pictures, and return a line about it."""
    from bench.runs.outcomes import one_line
    from bench.stability.sheet import caption, save_all
    from bench.stability.shifts import Shown, stress, titles

    run = load(Path(folder))
    track, result = run.track, run.result
    open_track = registry.load_task(track.task).open
    found: dict[str, list[StressPoint]] = {}
    pictures: dict[str, dict[str, Shown]] = {}
    for shift, point, tried in stress(run.method, track, open_track, result.seed, run.device, report):
        if isinstance(tried, Exception):
            outcome = StressPoint(at=point, per_image={}, reason=one_line(tried)[:200])
        else:
            scores, shown = tried
            outcome = StressPoint(at=point, per_image=scores)
            if shown is not None:
                pictures.setdefault(shift, {})[caption(track, shift, point, scores)] = shown
        found.setdefault(shift, []).append(outcome)
    record = Stress(
        shifts=found,
        own={shift.name: shift.own for shift in track.shifts},
        titles=titles(track),
        primary=result.primary,
        **made_by(result),
    )
    add(run.folder, record)
    save_all(pictures, run.folder, STRESS_PICTURE, report)
    lost = sum(bool(point.reason) for points in found.values() for point in points)
    count = sum(map(len, found.values()))
    return f"{track.id}  {result.name}  seed {result.seed}  {count - lost} of {count} points have scores"


def observe_run(folder: str, report: Report) -> str:
    """Let the observer of its track judge one run in this process, write the record, and return a line about it."""
    from bench.observation.observe import observe

    run = load(Path(folder))
    result = run.result
    assert run.track.observer is not None
    found = observe(run.method, run.track.observer, accelerator=result.accelerator, seed=result.seed, report=report)
    record = Observed(
        observer=found.observer,
        on=found.track.id,
        primary=found.track.primary.name,
        metrics=metric_infos(found.track),
        per_image=found.evaluation.per_image,
        groups=found.evaluation.groups,
        truth=found.truth,
        **made_by(result),
    )
    add(run.folder, record)
    score, best = record.mean(record.primary), record.truth[record.primary]
    return f"{run.track.id}  {result.name}  seed {result.seed}  {record.primary} {score:.4g}, in true images {best:.4g}"


def map_run(folder: str, report: Report) -> str:
    """Map the sensitivity of one run in this process, write its record and picture, and return a line about it."""
    from bench.observation.sensitivity_map import save, sensitivity_maps

    run = load(Path(folder))
    track, result = run.track, run.result
    problem = registry.load_task(track.task).open(track)
    maps = []
    for one in sensitivity_maps(run.method, track, problem, result.seed, run.device):
        maps.append(one)
        report(f"mapped {len(maps)}")
    record = Sensitivity(
        region=track.region.partition(":")[2],
        inside={one.id: one.inside for one in maps},
        area={one.id: one.area for one in maps},
        **made_by(result),
    )
    save(maps, run.folder / SENSITIVITY_MAP)
    add(run.folder, record)
    inside, area = (100 * sum(shares.values()) / len(maps) for shares in (record.inside, record.area))
    return (
        f"{track.id}  {result.name}  seed {result.seed}  {inside:.1f} % inside the {record.region}, area {area:.1f} %"
    )


def made_by(result: Result) -> dict[str, Any]:
    """The device, the commit and the time of a record."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"device": provenance.device_name(result.accelerator), "commit": provenance.commit()[0], "date": date}
