"""How the dashboard arranges runs: an experiment for every track, and the columns of its table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.runs.records import Result

if TYPE_CHECKING:
    from PIL.Image import Image

VIEW = "mlflow.sharedViewState.bench"  # the columns that the dashboard shows at the links of `bench.tracking.dashboard`
WIDE = 3.0  # a picture of more times its height is shown in two rows: the dashboard's cells are square
PART = ", part of the test set"


def experiment(result: Result) -> str:
    return name(f"{result.task}:{result.track}", result.limit)


def name(track: str, limit: int | None) -> str:
    """The experiment of the runs of a track: those of ``--limit`` are apart, since their means are of other images."""
    return track if limit is None else track + PART


def tags(result: Result) -> dict[str, str]:
    primary = result.primary
    metrics = [primary, *sorted(set(result.metrics) - {primary})]
    ascending = primary in result.metrics and not result.metrics[primary].higher_is_better
    return of_experiment(metrics, ascending=ascending)


def of_experiment(metrics: Sequence[str], *, ascending: bool) -> dict[str, str]:
    return {VIEW: json.dumps(view(metrics, ascending=ascending)), "mlflow.experimentKind": "custom_model_development"}


def view(metrics: Sequence[str], *, ascending: bool) -> dict[str, Any]:
    """The table of a track's runs: without trials, best first, with the columns in the order of a board."""
    columns = [
        "params.`method`",
        f"metrics.`{metrics[0]}`",
        "params.`seed`",
        "metrics.`seconds`",
        "tags.`device`",
        *(f"metrics.`{metric}`" for metric in metrics[1:]),
        "metrics.`seconds_per_image`",
        "tags.`reason`",
    ]
    return {
        "searchFilter": "tags.`bench.kind` = 'run'",
        "orderByKey": f"metrics.`{metrics[0]}`",
        "orderByAsc": ascending,
        "selectedColumns": columns,
        "columnOrder": columns,
    }


def folded(sheet: Image) -> Image:
    """A picture for a square cell: four panels in a row become two by two."""
    if sheet.width < WIDE * sheet.height:
        return sheet
    half = sheet.width // 2
    square = sheet.resize((half, 2 * sheet.height))
    square.paste(sheet.crop((0, 0, half, sheet.height)), (0, 0))
    square.paste(sheet.crop((half, 0, 2 * half, sheet.height)), (0, sheet.height))
    return square
