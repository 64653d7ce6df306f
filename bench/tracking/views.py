"""How the dashboard arranges runs: an experiment for every track, the columns of its table, the order of its charts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.runs.records import Result

if TYPE_CHECKING:
    from PIL.Image import Image

SHARED = "mlflow.sharedViewState."  # tags of an experiment whose names begin so hold saved views
RUNS, METHODS = "bench", "bench-methods"  # every run by itself; the runs of a method, which differ by seed, averaged
VIEW = SHARED + RUNS
WIDE = 3.0  # a picture of more times its height is shown in two rows: the dashboard's cells are square
PREVIEW = 450  # pixels of a picture's longer side: two stand side by side; MLflow's own previews have 256
PART = ", part of the test set"
# Sections of charts, by the names before a slash
CURVES, PICTURES, SHIFTS, VALIDATION = "curves", "pictures", "shifts", "validation"
SECTIONS = {  # in this order: charts in a row, and height of a chart in pixels
    CURVES: (3, 360),
    PICTURES: (1, 1060),
    SHIFTS: (1, 1060),
    VALIDATION: (1, 1060),
    "Model metrics": (3, 360),  # MLflow's name for numbers without a section: bars
    "System metrics": (3, 360),
}
FOLDED = (VALIDATION,)  # sections that are opened by a click: looks at other steps than the first
WIDTHS = {"params.`method`": 150, "tags.`interval`": 125, "params.`seed`": 70, "metrics.`seconds_per_image`": 145}


def experiment(result: Result) -> str:
    return name(f"{result.task}:{result.track}", result.limit)


def name(track: str, limit: int | None) -> str:
    """The experiment of the runs of a track: those of ``--limit`` are apart, since their means are of other images."""
    return track if limit is None else track + PART


def tags(result: Result, pictures: Iterable[tuple[str, int]], before: Mapping[str, str]) -> dict[str, str]:
    """Of the experiment of a run, in which its ``pictures`` ``(key, step)`` have charts, as have those from before."""
    primary = result.primary
    metrics = [primary, *sorted(set(result.metrics) - {primary})]
    ascending = primary in result.metrics and not result.metrics[primary].higher_is_better
    known = json.loads(before.get(VIEW, "{}")).get("compareRunCharts", ())
    charted = [(one["imageKeys"][0], one["step"]) for one in known]
    return of_experiment(metrics, [*charted, *pictures], ascending=ascending)


def of_experiment(
    metrics: Sequence[str], pictures: Iterable[tuple[str, int]] = (), *, ascending: bool
) -> dict[str, str]:
    last = dict(sorted(pictures))  # of several steps the last
    charts = [chart(key, step) for key, step in last.items()]
    runs = view(metrics, ascending=ascending) | {"compareRunCharts": charts}
    by_method = {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": "method"}]}
    return {
        SHARED + RUNS: json.dumps(runs),
        SHARED + METHODS: json.dumps(runs | {"groupBy": by_method}),
        "mlflow.experimentKind": "custom_model_development",
    }


def view(metrics: Sequence[str], *, ascending: bool) -> dict[str, Any]:
    """A track's runs without trials, best first, with the columns in the order of a board, curves before bars."""
    columns = [
        "params.`method`",
        f"metrics.`{metrics[0]}`",
        "tags.`interval`",
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
        "columnWidths": WIDTHS,
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": [],  # MLflow adds a chart for each number that it finds, and each other picture
        "compareRunSections": [section(name, *size) for name, size in SECTIONS.items()],
        "isAccordionReordered": True,  # the sections stay in this order
    }


def chart(key: str, step: int) -> dict[str, Any]:
    """A picture of all runs, side by side: the hyperparameters that MLflow writes above would widen the cells."""
    own = {"type": "IMAGE", "uuid": f"bench-{key}", "metricSectionId": f"bench-{key.partition('/')[0]}"}
    return own | {"imageKeys": [key], "step": step, "showRunParams": False, "deleted": False, "isGenerated": True}


def section(name: str, columns: int, height: int) -> dict[str, Any]:
    state = {"display": name not in FOLDED, "isReordered": False, "deleted": False, "isGenerated": True}
    return {"uuid": f"bench-{name}", "name": name, "columns": columns, "cardHeight": height, **state}


def folded(sheet: Image) -> Image:
    """A picture for a square cell: four panels in a row become two by two."""
    if sheet.width < WIDE * sheet.height:
        return sheet
    half = sheet.width // 2
    square = sheet.resize((half, 2 * sheet.height))
    square.paste(sheet.crop((0, 0, half, sheet.height)), (0, 0))
    square.paste(sheet.crop((half, 0, 2 * half, sheet.height)), (0, sheet.height))
    return square


def preview(picture: Image) -> Image:
    """The picture as it is shown among the charts, where a click opens it in full."""
    small = picture.copy()
    small.thumbnail((PREVIEW, PREVIEW))
    return small
