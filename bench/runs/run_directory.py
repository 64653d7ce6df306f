"""What a run leaves behind: its directory, with the result and all that stands behind it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from bench.contract import registry
from bench.contract.method import Method
from bench.contract.task import Track
from bench.evaluation import pictures
from bench.evaluation.evaluate import Evaluation
from bench.evaluation.train import Point
from bench.evaluation.tune import Trial
from bench.runs import provenance
from bench.runs.privacy import without_folders
from bench.runs.records import Result
from bench.runs.spec import Request, constructor_defaults, identity, keys


@dataclass
class Outcome:
    """What a run has found so far; a failure keeps what came before it."""

    status: str = "ok"
    reason: str = ""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    trials: Sequence[Trial] = ()
    training: dict[str, Any] = field(default_factory=dict)
    curves: list[Point] = field(default_factory=list)
    evaluation: Evaluation | None = None
    pictures: Sequence[pictures.Picture] = ()
    atoms: Mapping[str, Tensor] = field(default_factory=dict)  # what was learned, (N, h, w) each
    parameters: int = 0
    peak_memory: int | None = None
    splits: dict[str, int] = field(default_factory=dict)
    traceback: str = ""


def write(
    request: Request, track: Track, method: type[Method], directory: Path, outcome: Outcome, seconds: float
) -> None:
    """Fill the run directory with the result and all that stands behind it."""
    configuration = identity(request, method, track)
    result = make_result(request, track, configuration, outcome, seconds)
    (directory / "chosen.json").unlink(missing_ok=True)
    (directory / "result.json").write_text(result.to_json(), encoding="utf-8")
    declared = {
        "name": track.id,
        "splits": outcome.splits,
        "fingerprint": track.fingerprint(),
        "data": list(track.data),
    }
    documents = {
        "config.json": {**configuration, "request": asdict(request)},
        "environment.json": result.environment,
        "trials.json": [asdict(trial) for trial in outcome.trials],
        "data.json": declared,
    }
    for name, document in documents.items():
        text = without_folders(json.dumps(document, indent=1, default=str))
        (directory / name).write_text(text + "\n", encoding="utf-8")
    write_curves(directory / "curves.csv", [p for p in outcome.curves if not p.name.startswith("system/")])
    write_curves(directory / "system.csv", [p for p in outcome.curves if p.name.startswith("system/")])
    if outcome.evaluation is not None:
        names = [metric.name for metric in track.metrics]
        with (directory / "per_image.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["id", *names])
            for image, scores in outcome.evaluation.per_image.items():
                table.writerow([image, *(scores[name] for name in names)])
    if outcome.pictures or outcome.atoms:
        (directory / "pictures").mkdir()
    for picture in outcome.pictures:
        pictures.save(picture, directory / "pictures" / f"{picture.id}.png")
    if outcome.atoms:
        arrays: dict[str, Any] = {name: atoms.numpy() for name, atoms in outcome.atoms.items()}
        np.savez(directory / "atoms.npz", **arrays)
    for name, atoms in outcome.atoms.items():
        pictures.save_atoms(atoms, directory / "pictures" / f"learned-{name}.png")
    if outcome.traceback:
        (directory / "traceback.txt").write_text(outcome.traceback, encoding="utf-8")


def write_curves(path: Path, points: Sequence[Point]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "step", "time", "value"])
        table.writerows([point.name, point.step, point.time, point.value] for point in points)


def make_result(
    request: Request, track: Track, configuration: dict[str, Any], outcome: Outcome, seconds: float
) -> Result:
    """The record of a run, from what it was asked and what came out."""
    key, group = keys(configuration)
    file = registry.method_file(request.method)
    commit, dirty = provenance.commit()
    evaluation = outcome.evaluation if outcome.status == "ok" else None
    used = {**constructor_defaults(registry.load_method(request.method)), **outcome.hyperparameters}
    tuning = {}
    if outcome.trials:
        tuning = {
            "trials": len(outcome.trials),
            "images": track.budget.images,
            "seconds": round(sum(trial.seconds for trial in outcome.trials), 3),
        }
    return Result(
        key=key,
        group=group,
        task=track.task,
        track=track.name,
        task_version=track.version,
        method=file.name,
        family=file.family,
        label=request.board_label,
        protocol=request.protocol,
        seed=request.seed,
        seeds=list(request.seeds),
        status=outcome.status,
        reason=outcome.reason,
        primary=track.primary.name,
        metrics={m.name: {"higher_is_better": m.higher_is_better, "unit": m.unit} for m in track.metrics},
        per_image=evaluation.per_image if evaluation else {},
        requested=dict(request.hyperparameters),
        hyperparameters=used,
        tuning=tuning,
        training=outcome.training,
        parameters=outcome.parameters,
        seconds_per_image=evaluation.seconds_per_image if evaluation else None,
        peak_memory_bytes=outcome.peak_memory,
        device=provenance.device_name(request.accelerator),
        devices=request.devices,
        environment=provenance.environment(request.accelerator),
        data_hash=evaluation.data_hash if evaluation else "",
        commit=commit,
        dirty=dirty,
        command=without_folders(request.command),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        limit=request.limit,
    )
