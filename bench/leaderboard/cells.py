"""How values are written on a board: scores, ranks, times, sizes."""

from __future__ import annotations

import math
import unicodedata

from bench.leaderboard.entries import Entry, means_of, of_metric
from bench.leaderboard.ranking import Place
from bench.leaderboard.statistics import PerSeed, mean_interval, seed_spread
from bench.sealed import MetricInfo

LONGEST_REASON = 160  # characters of a reason on a page; the entry holds it whole
PERCENTAGES = ("coverage", "calibrated_coverage")  # of the scores of standard deviations


def number(value: float, unit: str = "") -> str:
    """A score with the digits that are worth reading."""
    decimals = digits(value, unit)
    return f"{value:.{decimals}f}" if decimals is not None else f"{value:.2e}"


def digits(value: float, unit: str = "") -> int | None:
    """The decimals that are shown; None where three significant digits are shown, of values below 0.001."""
    if unit in ("dB", "%"):
        return 2
    if value == 0 or abs(value) >= 1e-3:
        return 4 if abs(value) < 10 else 2
    return None


def last_digit(value: float, unit: str = "") -> float:
    """One unit of the last digit that is shown."""
    decimals = digits(value, unit)
    if decimals is None:
        decimals = 2 - math.floor(math.log10(abs(value)))
    return 10.0**-decimals


def score(entry: Entry, metric: str) -> str:
    if metric not in entry.scores:
        return ""
    return number(entry.scores[metric], entry.metrics[metric].unit)


def interval(entry: Entry, metric: str) -> str:
    """The 95 % interval of the mean; empty where the groups are too few."""
    if metric not in entry.scores:
        return ""
    found = mean_interval(of_metric(entry, metric), entry.groups)
    unit = entry.metrics[metric].unit
    return f"[{number(found.low, unit)}, {number(found.high, unit)}]" if found else ""


def metric_name(metric: str) -> str:
    return metric.upper().replace("_", " ")


def title(metric: str, declared: MetricInfo) -> str:
    unit = f" [{declared.unit}]" if declared.unit else ""
    return f"{metric_name(metric)}{unit} {'↑' if declared.higher_is_better else '↓'}"


def rank(place: Place | None) -> str:
    """The interval of ranks; the place by the mean, in brackets, where groups are too few to tell."""
    if place is None:
        return "–"
    if place.best is None or place.worst is None:
        return f"({place.order})"
    return str(place.best) if place.best == place.worst else f"{place.best}–{place.worst}"


def seeds(entry: Entry) -> str:
    """How many seeds, and the standard deviation of their means."""
    count = str(len(entry.seeds))
    spread = seed_spread(of_metric(entry, entry.primary)) if entry.status == "ok" else None
    return count if spread is None else f"{count} (±{number(spread, entry.metrics[entry.primary].unit)})"


def count(parameters: int) -> str:
    for factor, suffix in ((1e6, " M"), (1e3, " k")):
        if parameters >= factor:
            return f"{parameters / factor:.3g}{suffix}"
    return str(parameters)


def duration(entry: Entry) -> str:
    """Seconds per image, measured alone on the machine; empty where they were not."""
    if entry.timing is None:
        return ""
    seconds = entry.timing.seconds_per_image
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def memory(entry: Entry) -> str:
    """Peak memory, measured alone on the machine; empty where it was not."""
    if entry.timing is None or entry.timing.peak_memory_bytes is None:
        return ""
    return f"{entry.timing.peak_memory_bytes / 2**20:.3g} MiB"


def published(entry: Entry) -> tuple[str, str]:
    """The published figure, and ours minus that; both empty where there is none."""
    figure = entry.published
    if figure is None or figure.metric not in entry.scores:
        return "", ""
    unit = entry.metrics[figure.metric].unit
    difference = entry.scores[figure.metric] - figure.value
    return number(figure.value, unit), f"{'+' if difference >= 0 else '−'}{number(abs(difference), unit)}"


def confidence(entry: Entry, score: str) -> str:
    """The mean of a score of standard deviations over images and seeds; empty where it is absent."""
    found = _confidence(entry).get(score)
    return "" if found is None else number(found, "%" if score in PERCENTAGES else "")


def coverage_error(entry: Entry, score: str) -> str:
    """How far a mean coverage lies from the nominal one, in percent."""
    found = _confidence(entry).get(score)
    return "" if found is None else f"{found - nominal(entry):+.2f}".replace("-", "−")


def coverage_interval(entry: Entry, score: str) -> str:
    """The 95 % interval of a mean coverage; empty where the groups are too few."""
    scores: PerSeed = {
        int(seed): {image: one[score] for image, one in found.per_image.items()}
        for seed, found in (entry.confidence or {}).items()
    }
    found = mean_interval(scores, entry.groups)
    return f"[{number(found.low, '%')}, {number(found.high, '%')}]" if found else ""


def nominal(entry: Entry) -> float:
    """The coverage in percent that intervals of standard deviations aim at."""
    return next(iter((entry.confidence or {}).values())).level


def factors(entry: Entry) -> str:
    """What the seeds multiply their standard deviations by, after calibration: the least and the largest factor."""
    kept = [one.factor for one in (entry.confidence or {}).values()]
    single = [one for factor in kept for one in (factor if isinstance(factor, list) else [factor])]
    found = [math.inf if one is None else one for one in single]
    ends = ("∞" if factor == math.inf else f"{factor:.3g}" for factor in (min(found), max(found)))
    return "–".join(dict.fromkeys(ends))


def _confidence(entry: Entry) -> dict[str, float]:
    return means_of({seed: found.per_image for seed, found in (entry.confidence or {}).items()})


def one_line(text: str) -> str:
    """The text on one line, without control characters and such as turn the direction of writing."""
    return " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in text).split())


def cut(text: str, width: int = LONGEST_REASON) -> str:
    """The text on one line, of at most ``width`` characters."""
    text = one_line(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def conventions(declared: MetricInfo) -> str:
    """The options of a metric in words: data range, crop, real part or magnitude, mask."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(declared.options.items()))
