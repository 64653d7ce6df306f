"""The files that a run leaves behind: its result, the evidence for it, and the check that all are as they were written.

A result holds the SHA-256 of every other file. Files are checked when a run is imported, exported, or gone on from.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.contract import registry
from bench.errors import BenchError
from bench.evaluation.curves import LOOKS_FOLDER, CurvePoint
from bench.places import ROOT, partial, whole_file
from bench.runs.outcomes import Outcome, make_result, track_of
from bench.runs.privacy import private, without_folders
from bench.runs.records import Observed, Result, Sensitivity, Stress, Timing
from bench.runs.spec import MethodDescription, Spec
from bench.runs.store import whole_directory
from bench.sealed import Sealed

if TYPE_CHECKING:
    from torch import Tensor

RESULT, TIMING, STRESS, TRACKED = "result.json", "timing.json", "stress.json", "tracked.json"
OBSERVED, SENSITIVITY, SENSITIVITY_MAP = "observed.json", "sensitivity.json", "sensitivity.png"
STRESS_PICTURE = "stress-{}.png"  # of a shift
# records of a finished run
ADDED: dict[str, type[Sealed]] = {
    TIMING: Timing,
    STRESS: Stress,
    OBSERVED: Observed,
    SENSITIVITY: Sensitivity,
}
TRACEBACK = "traceback.txt"
RECONSTRUCTIONS = "reconstructions.npz"  # of the first test images, (C, H, W) or (C, D, H, W) each, by their names
LOG = "log.txt"  # printed by the processes of a run on several devices: it may name anything, and stays here
SPEC, CHOSEN, FAILURE = "spec.json", "chosen.json", "failure.json"
TRANSIENT = (SPEC, CHOSEN, FAILURE)  # by which processes of one run talk
LOCAL = (TRACKED, LOG, *TRANSIENT)  # of one machine alone
OWN = (RESULT, *ADDED, SENSITIVITY_MAP, STRESS_PICTURE.format("*"), *LOCAL)  # whose hashes no result holds
MAC = ("__MACOSX", ".DS_Store")  # files that macOS adds, beside those that begin with "._"


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
        text = json.dumps(private(json.loads(json.dumps(document, default=str))), indent=1)
        (directory / name).write_text(text + "\n", encoding="utf-8")
    write_curves(directory / "curves.csv", [p for p in outcome.curves if not p.name.startswith("system/")])
    write_curves(directory / "system.csv", [p for p in outcome.curves if p.name.startswith("system/")])
    write_scores(directory, outcome)
    write_pictures(directory, outcome)
    looks = partial(spec.key) / LOOKS_FOLDER
    if looks.is_dir():
        shutil.copytree(looks, directory / LOOKS_FOLDER)
    for name, text in spec.method.files.items():
        source = directory / "source" / name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
    for name, path in read_outside(spec.method).items():
        (directory / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, directory / "source" / name)
    if lines := [*outcome.warned, *outcome.notes]:
        (directory / "warnings.txt").write_text(without_folders("\n".join(lines)) + "\n", encoding="utf-8")
    if outcome.traceback:
        (directory / TRACEBACK).write_text(outcome.traceback, encoding="utf-8")
    result = make_result(spec, outcome, seconds, file_hashes(directory))
    (directory / RESULT).write_text(result.to_json(), encoding="utf-8")


def read_outside(method: MethodDescription) -> dict[str, Path]:
    """The files but Python's that a method from outside of this repository reads, by their names beside its code."""
    folders = [registry.method_folder(reference) for reference in (method.reference, *method.inner.values())]
    outside = [folder for folder in folders if folder is not None and not folder.is_relative_to(ROOT)]
    named = {name: folder / name for folder in outside for name in method.sources if not name.endswith(".py")}
    return {name: path for name, path in named.items() if path.is_file()}


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
    if outcome.evaluation.records:  # the facts of which scores of the set are made
        text = json.dumps(outcome.evaluation.records, indent=1)
        (directory / "records.json").write_text(text + "\n", encoding="utf-8")


def write_pictures(directory: Path, outcome: Outcome) -> None:
    import numpy as np

    from bench.evaluation import pictures

    arrays: dict[str, Any] = {
        pictures.file_name(one): one.x_hat[0].numpy() for one in outcome.pictures if one.x_hat is not None
    }
    if arrays:
        np.savez_compressed(directory / RECONSTRUCTIONS, **arrays)
    if outcome.pictures:
        (directory / "pictures").mkdir()
    for picture in outcome.pictures:
        path = directory / "pictures" / f"{pictures.file_name(picture)}.png"
        try:
            pictures.save(picture, path)
        except OSError:
            raise  # no room for the result either
        except Exception as error:
            path.unlink(missing_ok=True)
            outcome.notes.append(f"no picture of {picture.id}: {type(error).__name__}: {error}")


def add_look(run_dir: Path, curve: Sequence[CurvePoint], atoms: Mapping[str, Tensor], fault: str) -> None:
    """Add a look inside the method to a whole run directory: its objective per iteration and its atoms (N, h, w).

    The directory is replaced by one that holds them too. A ``fault`` becomes a line of `warnings.txt`.
    """
    import numpy as np

    from bench.evaluation import pictures

    with whole_directory(run_dir) as scratch:
        shutil.copytree(run_dir, scratch, dirs_exist_ok=True)
        write_curves(scratch / "curves.csv", curve, "a")
        if atoms:
            (scratch / "pictures").mkdir(exist_ok=True)
            arrays: dict[str, Any] = {name: found.numpy() for name, found in atoms.items()}
            np.savez(scratch / "atoms.npz", **arrays)
        for name, found in atoms.items():
            pictures.save_atoms(found, scratch / "pictures" / f"learned-{name}.png")
        if fault:
            with (scratch / "warnings.txt").open("a", encoding="utf-8") as file:
                file.write(without_folders(" ".join(fault.split())) + "\n")
        result = Result.read(scratch / RESULT).model_copy(update={"files": file_hashes(scratch)})
        (scratch / RESULT).write_text(result.to_json(), encoding="utf-8")


def write_curves(path: Path, points: Sequence[CurvePoint], mode: Literal["w", "a"] = "w") -> None:
    with path.open(mode, newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        if mode == "w":
            table.writerow(["name", "step", "time", "value"])
        table.writerows([point.name, point.step, point.time, point.value] for point in points)


def file_hashes(directory: Path) -> dict[str, str]:
    """SHA-256 of every file of a run directory but the result itself and later additions."""
    named = {path.relative_to(directory).as_posix(): path for path in files(directory)}
    return {name: sha256(path) for name, path in named.items() if not is_own(name)}


def is_own(name: str) -> bool:
    """Whether a file of a run directory is one of those that no result holds the hash of."""
    return "/" not in name and any(fnmatchcase(name, pattern) for pattern in OWN)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def whole(run_dir: Path) -> Result:
    """The result of a run directory of which every file is there and unchanged.

    Raises a `BenchError` that names the file and its fault.
    """
    result = Result.read(run_dir / RESULT)
    present = {path.relative_to(run_dir).as_posix(): path for path in files(run_dir)}
    for name in result.files:
        if not is_own(name):
            check(run_dir, result, name)
    for name in sorted(one for one in set(present) - set(result.files) if not is_own(one)):
        raise BenchError(f"{present[name]} is not among the files of the run. Move it out of the run directory.")
    for name in present.keys() & ADDED.keys():
        ADDED[name].read(present[name])
    return result


def check(run_dir: Path, result: Result, name: str) -> None:
    """Raise a `BenchError` where a file of a run is missing or has changed."""
    path = run_dir / name
    remedy = "Import the run from another copy, or run it again by --force."
    if name not in result.files:
        raise BenchError(f"{path} is not among the files of the run. {remedy}")
    try:
        found = sha256(path)
    except FileNotFoundError:
        raise BenchError(f"{path} is missing. {remedy}") from None
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}.") from None
    if found != result.files[name]:
        raise BenchError(f"{path} was changed since the run wrote it (its SHA-256 differs). {remedy}")


def fault(run_dir: Path) -> str:
    """The fault of a run directory in one line; "" where it is whole."""
    try:
        whole(run_dir)
    except BenchError as error:
        return str(error)
    return ""


def files(run_dir: Path) -> list[Path]:
    """The files of a run, without those that a Mac adds. Raises `BenchError` on a link or a device."""
    found = []
    for path in sorted(run_dir.rglob("*")):
        if added_by_mac(path.relative_to(run_dir).parts) or path.name.startswith(".tmp-"):  # of a killed process
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BenchError(f"{path} is a link or a device. A run directory holds files alone.")
        if path.is_file():
            found.append(path)
    return found


def added_by_mac(parts: tuple[str, ...]) -> bool:
    return any(part in MAC or part.startswith("._") for part in parts)


def chosen_by_the_first(shared: Path, deadline: float) -> dict[str, Any]:
    """The hyperparameters that the first process of a run has chosen; waits while it tunes."""
    while not shared.exists():
        if time.monotonic() > deadline or (shared.parent / RESULT).exists():
            raise BenchError("the first process of the run has chosen no hyperparameters.")
        time.sleep(0.1)
    return json.loads(shared.read_text(encoding="utf-8"))


def add(run_dir: Path, record: Sealed) -> None:
    """Write a record of a finished run beside its result."""
    file = next(file for file, kind in ADDED.items() if isinstance(record, kind))
    write_whole(run_dir / file, record.to_json())


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: no other process sees a part of it."""
    with whole_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
