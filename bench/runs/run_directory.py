"""The files that a run leaves behind: its result, and the evidence for it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.evaluation import pictures
from bench.evaluation.curves import CurvePoint
from bench.runs.outcomes import Outcome, make_result, track_of
from bench.runs.privacy import without_folders
from bench.runs.spec import Spec

OWN = ("result.json", "tracked.json", "timing.json")  # not among the files whose hashes the result holds
TRANSIENT = ("chosen.json", "spec.json", "failure.json")  # by which processes of one run talk


def write(spec: Spec, directory: Path, outcome: Outcome, seconds: float) -> None:
    """Fill the run directory; its result, with the hashes of all other files, comes last.

    A file beside the result that cannot be made (a picture, say) costs the run nothing but that file.
    """
    for name in TRANSIENT:
        (directory / name).unlink(missing_ok=True)
    track = track_of(spec)
    documents: dict[str, Any] = {
        "config.json": json.loads(spec.to_json()),
        "trials.json": [asdict(trial) for trial in outcome.trials],
        "data.json": {
            "name": track.id,
            "splits": outcome.splits,
            "scored": spec.scored,
            "data": list(track.data),
        },
    }
    for name, document in documents.items():
        text = without_folders(json.dumps(document, indent=1, default=str))
        (directory / name).write_text(text + "\n", encoding="utf-8")
    write_curves(directory / "curves.csv", [p for p in outcome.curves if not p.name.startswith("system/")])
    write_curves(directory / "system.csv", [p for p in outcome.curves if p.name.startswith("system/")])
    write_scores(directory, outcome)
    write_pictures(directory, outcome)
    for name, text in spec.method.files.items():
        source = directory / "source" / name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
    if outcome.warned:
        (directory / "warnings.txt").write_text(without_folders("\n".join(outcome.warned)) + "\n", encoding="utf-8")
    if outcome.traceback:
        (directory / "traceback.txt").write_text(outcome.traceback, encoding="utf-8")
    result = make_result(spec, outcome, seconds, file_hashes(directory))
    (directory / "result.json").write_text(result.to_json(), encoding="utf-8")


def write_scores(directory: Path, outcome: Outcome) -> None:
    if outcome.evaluation is None:
        return
    scores = outcome.evaluation.per_image
    names = list(dict.fromkeys(name for row in scores.values() for name in row))
    with (directory / "per_image.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "group", *names])
        for image, row in scores.items():
            table.writerow([image, outcome.evaluation.groups[image], *(row.get(name, "") for name in names)])


def write_pictures(directory: Path, outcome: Outcome) -> None:
    if outcome.pictures or outcome.atoms:
        (directory / "pictures").mkdir()
    for picture in outcome.pictures:
        pictures.save(picture, directory / "pictures" / f"{picture.id}.png")
    if outcome.atoms:
        arrays: dict[str, Any] = {name: atoms.numpy() for name, atoms in outcome.atoms.items()}
        np.savez(directory / "atoms.npz", **arrays)
    for name, atoms in outcome.atoms.items():
        pictures.save_atoms(atoms, directory / "pictures" / f"learned-{name}.png")


def write_curves(path: Path, points: Sequence[CurvePoint]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "step", "time", "value"])
        table.writerows([point.name, point.step, point.time, point.value] for point in points)


def file_hashes(directory: Path) -> dict[str, str]:
    """SHA-256 of every file of a run directory but the result itself and later additions."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    named = {path.relative_to(directory).as_posix(): path for path in files}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named.items() if name not in OWN}
