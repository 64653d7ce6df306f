"""`bench time`: costs of finished runs, measured one after another in a pass of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.contract import registry
from bench.engines.local import LocalEngine, Task
from bench.engines.pending_runs import look_around
from bench.engines.processes import threads
from bench.errors import BenchError
from bench.places import runs, store
from bench.runs import checkpoints, provenance
from bench.runs.records import Result, Timing
from bench.runs.store import held, take

FILE = "timing.json"
LIMIT = 600.0  # seconds that the measurement of one run may take


def time_runs(
    tracks: Sequence[str], methods: Sequence[str], *, again: bool, report: Callable[[str], None] = print
) -> int:
    """Measure the finished runs of some tracks and methods; 1 if one of them failed, else 0.

    Raises `BenchError` where there is no such run, and while another command works on this store.
    """
    busy = [path for path in (store() / "claims").glob("*") if held(path)]
    if busy:
        raise BenchError(
            f"{len(busy)} runs are at work on {store()}. Times are measured alone: try again when they end."
        )
    chosen = list(select(set(tracks), set(methods)))
    if not chosen:
        raise BenchError(f"no finished run of {', '.join(methods) or 'any method'} on these tracks in {runs()}.")
    pending = [folder for folder in chosen if again or not (folder / FILE).exists()]
    if len(pending) < len(chosen):
        report(f"{len(chosen) - len(pending)} of {len(chosen)} done, {len(pending)} to go")
    alone = take(store() / "claims" / "timing")
    if alone is None:
        raise BenchError(f"another `bench time` is at work on {store()}. Try again when it ends.")
    engine = LocalEngine(1, look_around(cpu=False).visible)
    failures = 0
    tasks = [Task(folder.name, measure_run, (str(folder),), LIMIT) for folder in pending]
    with alone:
        for number, ended in enumerate(engine.work(tasks), 1):
            failures += bool(ended.error)
            report(f"[{number}/{len(tasks)}] {(ended.error and f'FAILED: {ended.error}') or ended.value}")
    return int(failures > 0)


def select(tracks: set[str], methods: set[str]) -> list[Path]:
    """The run directories that hold a result of these tracks and methods."""
    found = []
    for path in sorted(runs().glob("[0-9a-f]*/result.json")):
        try:
            result = Result.read(path)
        except BenchError:
            continue
        wanted = not methods or result.method in methods or result.name in methods
        if wanted and result.status == "ok" and f"{result.task}:{result.track}" in tracks:
            found.append(path.parent)
    return found


def measure_run(folder_name: str, report: Callable[[str], None]) -> str:
    """Measure one run in this process, write its `timing.json`, and return a line about it."""
    import torch

    from bench.contract.construct import build
    from bench.evaluation.timing import measure

    sys.dont_write_bytecode = True  # beside a source that the run directory keeps
    folder = Path(folder_name)
    result = Result.read(folder / "result.json")
    source = folder / "source" / f"{result.method}.py"
    reference = str(source) if source.exists() else result.method
    now = provenance.method_sources(reference)
    if not source.exists() and provenance.code_of(now) != result.code:
        raise BenchError(f"{result.name} on {result.task}:{result.track}: its code has changed. Run it again first.")
    if result.accelerator == "cuda" and not torch.cuda.is_available():
        raise BenchError(f"{result.name} on {result.task}:{result.track} ran on a GPU, and here is none.")
    track = registry.track(f"{result.task}:{result.track}")
    method = build(registry.load_method(reference), track, result.hyperparameters)
    if (folder / checkpoints.CHECKPOINT).exists():
        checkpoints.restore(method, track, result.key)
    problem = registry.load_task(track.task).open(track)
    cost = measure(method, track, problem, torch.device(result.accelerator), result.seed)
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
    (folder / FILE).write_text(timing.to_json(), encoding="utf-8")
    return f"{track.id}  {result.name}  seed {result.seed}  {cost.seconds:.3g} s an image, of {cost.repeats} repeats"
