"""`bench verify`: published entries are run again from their own spec and compared image by image."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.contract import registry
from bench.engines import pending_runs
from bench.engines.describe import TIME, describe
from bench.engines.freeze import specs_of
from bench.engines.local import LocalEngine
from bench.errors import BenchError
from bench.leaderboard import agreement
from bench.leaderboard.entries import Entry, read, write_text
from bench.leaderboard.staleness import is_external
from bench.places import partial, runs
from bench.runs import provenance
from bench.runs.checkpoints import CHECKPOINT
from bench.runs.records import Result
from bench.runs.spec import HOW, VERIFY, MethodDescription, Spec, Wish


def verify_entries(
    paths: Sequence[Path], *, images: int | None, renew: bool, report: Callable[[str], None] = print
) -> int:
    """Verify entries one after another; 1 if one of them does not agree or cannot be run, else 0."""
    engine = LocalEngine(1, pending_runs.look_around(cpu=False).visible)
    failures = 0
    with pending_runs.working("verify", report):
        for path in paths:
            try:
                agrees = verify_entry(read(path), path, engine, images, renew, report)
            except BenchError as error:
                report(str(error) if str(path) in str(error) else f"{path}: {error}")
                agrees = False
            failures += not agrees
    report(f"{len(paths) - failures} of {len(paths)} entries agree")
    return int(failures > 0)


def verify_entry(
    entry: Entry, path: Path, engine: LocalEngine, images: int | None, renew: bool, report: Callable[[str], None]
) -> bool:
    """Run an entry again for every seed and compare; the note of it, or the renewed hash, goes into its file.

    Hyperparameters are the chosen ones, so that nothing is tuned again. A method that learns uses the weights of its
    run where the store has them, and is trained again elsewhere.
    """
    if entry.status != "ok":
        raise BenchError(f"the entry is {entry.status}: there is nothing to compare.")
    track = f"{entry.task}:{entry.track}"
    if is_external(entry):
        raise BenchError(
            f"the file of {entry.method} is outside of this repository. Run the entry's command, with the folder of "
            "that file for path/to, and compare."
        )
    if entry.accelerator == "cuda" and not engine.visible:
        raise BenchError("the entry is of a run on a GPU, and here is none. Verify it on a machine with one.")
    described = engine.call(describe, entry.method, [track], {}, seconds=TIME)
    if described.error:
        raise BenchError(described.error)
    method = MethodDescription(**described.value[track])
    computed: dict[int, Any] = {}
    hashes: dict[str, str] = {}
    result: Result | None = None
    for seed in entry.seeds:
        spec = spec_again(entry, seed, method, images, train=renew)
        ended = engine.call(recompute, spec.to_json(), seconds=float(spec.budget["seconds"]) + pending_runs.GRACE)
        if ended.error:
            raise BenchError(f"seed {seed}: {ended.error}")
        result = Result.from_json(ended.value)
        if result.status != "ok":
            raise BenchError(f"seed {seed}: {result.reason}")
        computed[seed] = result.per_image
        hashes |= result.image_hashes
    assert result is not None
    whole = len(hashes) == len(entry.groups)
    of_sets = () if whole else [metric.name for metric in registry.track(track).metrics if metric.record]
    comparisons = agreement.compare(entry, computed, hashes, without=of_sets)
    for line in agreement.lines(entry, comparisons):
        report(line)
    if not agreement.agreement(comparisons):
        return False
    now = datetime.now(UTC).isoformat(timespec="seconds")
    head, changed = provenance.commit()
    if renew and method.code != entry.code:
        if changed:
            raise BenchError(
                f"the code here is not committed ({changed}): a renewed entry names a commit. Commit first."
            )
        search = spec_again(entry, entry.seeds[0], method, None, train=True).search
        entry = agreement.renewed(entry, comparisons, method.sources, method.code, search, now, head, result.device)
        report(f"  renewed: its source hash is now {method.code}")
    before = path.read_text(encoding="utf-8")
    if not changed:
        entry = agreement.verified(entry, comparisons, now, head, result.device)
    else:
        report(f"  not noted in the entry: the code here is not committed ({changed})")
    if entry.to_json() != before:
        write_text(path, entry.to_json())
        report(f"  noted in {path}")
    return True


def spec_again(entry: Entry, seed: int, method: MethodDescription, images: int | None, *, train: bool) -> Spec:
    """The spec of an entry's run, with the chosen hyperparameters as the requested ones.

    With ``train`` the weights of the run are not used: a hash of code that trains is renewed by a training alone.
    """
    kept = runs() / entry.keys.get(str(seed), "-") / CHECKPOINT
    track = registry.track(f"{entry.task}:{entry.track}")
    record = entry.training.get(str(seed), {})
    wish = Wish(
        seeds=[seed],
        limit=images if images is not None else entry.limit,
        steps=entry.steps if entry.steps not in (None, track.budget.steps) else None,
        **{name: record[name] for name in HOW if name in record},
        label=VERIFY,
        control="" if method.inner else "defaults",  # the values of an inner method are chosen again, to equal ones
        checkpoint=kept.parent.name if entry.learned and kept.exists() and not train else entry.checkpoint,
        devices=1,
        accelerator=entry.accelerator,
        threads=entry.threads,
    )
    (spec,) = specs_of(track, method, entry.hyperparameters[str(seed)], wish, explicit_cpu=False)
    return spec


def recompute(spec_text: str, send: Callable[[str], None]) -> str:
    """Do the run of a spec in a folder that is thrown away, and return its result as text."""
    from bench.runs.run import perform

    with tempfile.TemporaryDirectory() as folder:
        spec = Spec.from_json(spec_text)
        perform(spec, Path(folder), send)
        shutil.rmtree(partial(spec.key), ignore_errors=True)
        return (Path(folder) / "result.json").read_text(encoding="utf-8")
