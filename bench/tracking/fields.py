"""A run as flat values, as a tracker takes them: parameters, numbers, tags, curves and splits."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from bench.evaluation.curves import CurvePoint
from bench.leaderboard.entries import means_of
from bench.leaderboard.statistics import mean_interval
from bench.runs.records import Observed, Result, Sensitivity
from bench.runs.run_directory import OBSERVED, RESULT, SENSITIVITY, STRESS
from bench.tracking.views import CURVES

DIGITS = 4  # of a number in a table; the result holds it whole
LONGEST = 500  # characters of a parameter; the whole configuration is a file of its own


def parameters(result: Result) -> dict[str, Any]:
    """What was run: track, method, seed and the hyperparameters used."""
    names = ("method", "track", "task_version", "seed", "limit")
    fixed = {name: getattr(result, name) for name in names if getattr(result, name) is not None}
    return shortened({**fixed, "method": result.name, **result.hyperparameters})


def shortened(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value)[:LONGEST] for name, value in values.items()}


def numbers(result: Result) -> dict[str, float]:
    """What came out, in single numbers: mean scores and costs."""
    values: dict[str, float | None] = {}
    if result.per_image:
        values |= {metric: result.mean(metric) for metric in result.scored_by}
    if result.confidence is not None:  # scores of standard deviations
        values |= means_of({"": result.confidence.per_image})
    for name in ("seconds_per_image", "parameters", "seconds"):
        values[name] = getattr(result, name)
    values |= {"training_seconds": result.training.get("seconds"), "tuning_seconds": result.tuning.get("seconds")}
    return {name: few_digits(value) for name, value in values.items() if value is not None}


def later(run_dir: Path) -> dict[str, float]:
    """What was found out about a finished run by its images or its finding: means."""
    values = {}
    if (run_dir / OBSERVED).exists():
        seen = Observed.read(run_dir / OBSERVED)
        values = {f"observer_{name}": seen.mean(name) for name in seen.truth}
    if (run_dir / SENSITIVITY).exists():
        shares = Sensitivity.read(run_dir / SENSITIVITY).inside.values()
        values["sensitivity_inside"] = sum(shares) / len(shares)
    return {name: few_digits(value) for name, value in values.items()}


def few_digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def tags(result: Result) -> dict[str, str]:
    """What to filter by: the outcome, where it comes from and the versions it was made with."""
    names = ["method", "family", "task", "track", "task_version", "status", "reason", "label", "protocol"]
    names += ["commit", "dirty", "device", "devices", "data_hash"]
    found = {name: str(getattr(result, name)) for name in names}
    found["interval"] = interval(result)
    found |= {re.sub(r"[^\w\-. /]", "_", f"env.{name}"): str(value) for name, value in result.environment.items()}
    return {name: value for name, value in found.items() if value}


def interval(result: Result) -> str:
    """The 95 % interval of the primary metric's mean for new groups of images; "" where they are too few to tell."""
    if not result.per_image:
        return ""
    scores = {image: scores[result.primary] for image, scores in result.per_image.items()}
    found = mean_interval({result.seed: scores}, result.groups)
    return f"[{found.low:#.{DIGITS}g}, {found.high:#.{DIGITS}g}]" if found else ""


def description(result: Result) -> str:
    """In words, for a run's page."""
    if result.reason:
        return f"{result.status}: {result.reason}"
    scores = ", ".join(
        f"{name} {result.mean(name):.4g} {result.metrics[name].unit}".rstrip() for name in result.scored_by
    )
    return f"{scores}, mean of {len(result.per_image)} images. Pictures are under Artifacts."


def per_image(result: Result) -> dict[str, list[Any]]:
    """The scores of every image as a table, the primary metric first, with few digits."""
    metrics = [result.primary, *sorted(set(result.metrics) - {result.primary})]
    rows = [
        [image, *(few_digits(scores[metric]) if metric in scores else None for metric in metrics)]
        for image, scores in result.per_image.items()
    ]
    return {"columns": ["id", *metrics], "data": rows}


def shown(point: CurvePoint) -> CurvePoint:
    """A point by the name that the dashboard shows: the part before a slash is a section of charts, in this order."""
    return point if "/" in point.name else point._replace(name=f"{CURVES}/{point.name}")


def curves(run_dir: Path) -> list[CurvePoint]:
    """Learning curves and system metrics."""
    points = []
    for path in (run_dir / "curves.csv", run_dir / "system.csv"):
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            for row in rows:
                points.append(CurvePoint(row["name"], int(float(row["step"])), float(row["time"]), float(row["value"])))
    return points


def trials(run_dir: Path) -> list[dict[str, Any]]:
    path = run_dir / "trials.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def splits(result: Result, run_dir: Path) -> tuple[str, dict[str, int]]:
    """The fingerprint of the track's data, and how many images each split has."""
    path = run_dir / "data.json"
    data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    fingerprint = str(data.get("scored") or result.data_hash or "unknown")
    found = data.get("splits") or {"test": len(result.per_image)}
    return fingerprint, {split: found[split] for split in ("test", "val", "train") if found.get(split)}


def digest(run_dir: Path) -> str:
    """The hash of the result of a run directory and of what was found out about it later; "" where it has none."""
    try:
        found = hashlib.sha256((run_dir / RESULT).read_bytes())
    except OSError:
        return ""
    for path in (run_dir / OBSERVED, run_dir / SENSITIVITY, run_dir / STRESS):
        if path.exists():
            found.update(path.read_bytes())
    return found.hexdigest()
