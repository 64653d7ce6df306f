"""Entries as ranked tables: Markdown for `leaderboards/README.md`, plain text for the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.leaderboard.statistics import FEWEST, ranks
from bench.runs.records import Entry

WIDTH = 100  # characters of a terminal's line

INTRODUCTION = """\
# Leaderboards

Rendered by `bench board` from the entries beside this page; edits here are lost. A higher rank is a better mean of the
first metric over the test images. Methods share a rank when a paired t-test over the test images (5 %, Holm-corrected
over all pairs) does not tell them from the best of their rank. Brackets are 95 % intervals of the mean over images,
given from 5 images on; ± is the standard deviation over seeds. Both take the test images as independent, which crops of
one photograph (the `mini` tracks of photographs) and slices of one subject are not quite: there they are too narrow.
Times hold for the device they were measured on.
"""


@dataclass(frozen=True)
class Row:
    """An entry on its board: its rank, None if it has none, and what a reader should know."""

    entry: Entry
    rank: int | None
    notes: list[str] = field(default_factory=list)


def boards(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Row]]:
    """The rows of every (task, track), best first, then what is not ranked, then what failed."""
    tracks: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.task, entry.track, entry.name)):
        tracks.setdefault((entry.task, entry.track), []).append(entry)
    return {track: _rows(members) for track, members in tracks.items()}


def page(entries: Iterable[Entry]) -> str:
    """All boards as Markdown."""
    found = boards(entries)
    tasks = sorted({task for task, _ in found})
    parts = [INTRODUCTION, _summary(found) if tasks else "No entries yet.\n"]
    for task in tasks:
        parts.append(f"## {task}\n")
        parts += [_markdown(rows) for (owner, _), rows in found.items() if owner == task]
    return "\n".join(parts)


def table(entries: Iterable[Entry]) -> str:
    """All boards as aligned text of at most 100 columns."""
    return "\n".join(_text(rows) for rows in boards(entries).values())


def number(value: float, unit: str = "") -> str:
    """A score with the digits that are worth reading."""
    if unit in ("dB", "%"):
        return f"{value:.2f}"
    if value == 0 or abs(value) >= 1e-3:
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
    return f"{value:.2e}"


def _summary(found: dict[tuple[str, str], list[Row]]) -> str:
    """The first of every track, by its primary metric."""
    lines = [_line(["Track", "First", "Score", "95 % interval", "Ranked"]), _line(["---"] * 5)]
    for rows in found.values():
        name, _ = _head(rows)
        first = [row.entry for row in rows if row.rank == 1]
        score = bounds = ""
        if first:
            metric = first[0].primary
            score, bounds = _score(first[0], metric)
            score = f"{metric.upper()} {score} {first[0].scores[metric].get('unit', '')}".rstrip()
        names = ", ".join(_plain(entry.name) for entry in first) or "–"
        ranked = sum(row.rank is not None for row in rows)
        lines.append(_line([f"[{name}](#{name.replace(':', '')})", names, score, bounds, str(ranked)]))
    return "\n".join(lines) + "\n"


def _rows(entries: list[Entry]) -> list[Row]:
    version = max(entry.task_version for entry in entries)
    ranked = {entry.name: entry for entry in entries if entry.ranked and entry.task_version == version}
    found: dict[str, int] = {}
    if ranked:
        primary = next(iter(ranked.values())).primary
        declared = [entry.scores[primary] for entry in ranked.values()]
        values = {name: entry.scores[primary]["per_image"] for name, entry in ranked.items()}
        found = ranks(values, declared[0]["higher_is_better"])
    hashes = Counter(entry.data_hash for entry in ranked.values()).most_common(1)
    rows = []
    for entry in entries:
        notes = list(entry.flags)
        if entry.task_version != version:
            notes.append(f"outdated: version {entry.task_version} of the track, now {version}")
        if entry.name in ranked and entry.data_hash != hashes[0][0]:
            notes.append(f"its test measurements differ in bits ({entry.data_hash[:8]}, others {hashes[0][0][:8]})")
        rows.append(Row(entry, found.get(entry.name), notes))

    def order(row: Row) -> tuple[bool, int, int, float]:
        status = ("ok", "unsupported", "failed").index(row.entry.status)
        score = row.entry.scores.get(row.entry.primary, {"mean": 0.0, "higher_is_better": True})
        return row.rank is None, status, row.rank or 0, -score["mean"] if score["higher_is_better"] else score["mean"]

    return sorted(rows, key=order)


def _metrics(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """``{metric: its declaration}`` of a board, the primary first."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        primary = [row.entry.primary] if row.entry.scores else []
        for metric in [*primary, *row.entry.scores]:
            found.setdefault(metric, row.entry.scores[metric])
    return found


def _head(rows: list[Row]) -> tuple[str, str]:
    """A board's name, and a line on what it was measured with."""
    version = max(row.entry.task_version for row in rows)
    images = max((len(s["per_image"]) for row in rows for s in row.entry.scores.values() if row.rank), default=0)
    about = f"version {version}, {images} test image{'s' * (images != 1)}" if images else f"version {version}"
    if 0 < images < FEWEST:
        about += ": too few to test, ranks are the mere order of the means"
    return f"{rows[0].entry.task}:{rows[0].entry.track}", about


def _score(entry: Entry, metric: str) -> tuple[str, str]:
    """The mean and its interval."""
    score = entry.scores.get(metric)
    if score is None:
        return "", ""
    mean, bounds = number(score["mean"], score.get("unit", "")), score["ci95"]
    return mean, f"[{', '.join(number(bound, score.get('unit', '')) for bound in bounds)}]" if bounds else ""


def _seeds(entry: Entry) -> str:
    """How many seeds, and how far their means lie apart."""
    count = len(entry.seeds)
    if len(entry.per_seed) < 2:
        return str(count)
    means = [math.fsum(s[entry.primary] for s in scores.values()) / len(scores) for scores in entry.per_seed.values()]
    centre = math.fsum(means) / len(means)
    spread = math.sqrt(math.fsum((mean - centre) ** 2 for mean in means) / (len(means) - 1))
    return f"{count} (±{number(spread, entry.scores[entry.primary].get('unit', ''))})"


def _count(parameters: int) -> str:
    for factor, suffix in ((1e6, " M"), (1e3, " k")):
        if parameters >= factor:
            return f"{parameters / factor:.3g}{suffix}"
    return str(parameters)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def _outcome(entry: Entry) -> str:
    return f"{entry.status}: {entry.reason}" if entry.reason else entry.status


def _title(metric: str, declared: dict[str, Any]) -> str:
    unit = f" [{declared['unit']}]" if declared.get("unit") else ""
    return f"{metric.upper()}{unit} {'↑' if declared['higher_is_better'] else '↓'}"


def _markdown(rows: list[Row]) -> str:
    metrics = _metrics(rows)
    name, about = _head(rows)
    titles = [_title(metric, declared) for metric, declared in metrics.items()]
    intervals = ["95 % interval"] if titles else []
    head = ["Rank", "Method", "Family", *titles[:1], *intervals, *titles[1:]]
    head += ["Parameters", "Time per image", "Device", "Seeds", "Date", "Commit"]
    lines = [f"### {name}", "", f"{about[0].upper()}{about[1:]}.", "", _line(head), _line(["---"] * len(head))]
    for row in rows:
        entry = row.entry
        link = f"[{_plain(entry.name)}]({entry.task}/{entry.track}/{entry.file_name})"
        scores = [_score(entry, metric) for metric in metrics]
        cells = [*scores[0], *(mean for mean, _ in scores[1:])] if scores else []
        if entry.status != "ok" and cells:
            cells[0] = _plain(_outcome(entry))
        commit = f"{entry.commit[:7]}{' (dirty)' * entry.dirty}"
        cells = [str(row.rank or "–"), link, entry.family.replace("_", " "), *cells, _count(entry.parameters)]
        cells += [_duration(entry.seconds_per_image), _plain(entry.device), _seeds(entry), entry.date[:10], commit]
        lines.append(_line(cells))
    lines.append("")
    for row in rows:
        told = row.notes if metrics else [_outcome(row.entry), *row.notes]
        lines += [f"- {_plain(row.entry.name)}: {_plain('; '.join(told))}"] if told else []
    commands = list(dict.fromkeys(row.entry.command for row in rows))
    lines += ["", "<details><summary>Reproduce</summary>", "", "```", *commands, "```", "", "</details>", ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown takes literally, on one line."""
    for sign in "\\|<>[]*_`":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _text(rows: list[Row]) -> str:
    metrics = _metrics(rows)
    name, about = _head(rows)
    titles = [_title(metric, declared) for metric, declared in metrics.items()]
    head = ["rank", "method", *titles[:1], *(["95 % interval"] if titles else []), *titles[1:]]
    head += ["params", "time/image", "seeds"]
    cells = [head]
    for row in (row for row in rows if row.entry.status == "ok"):
        entry = row.entry
        scores = [_score(entry, metric) for metric in metrics]
        mark = "*" if row.notes else ""
        first = [str(row.rank or "–"), entry.name + mark, *scores[0], *(mean for mean, _ in scores[1:])]
        cells.append([*first, _count(entry.parameters), _duration(entry.seconds_per_image), _seeds(entry)])
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    widths[1] = max(6, min(widths[1], WIDTH - sum(widths) + widths[1] - 2 * (len(head) - 1)))
    lines = [f"{name}, {about}"]
    for line in cells if len(cells) > 1 else ():
        line[1] = _cut(line[1], widths[1]).ljust(widths[1])
        lines.append("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    lines += [_cut(f"   –  {r.entry.name}: {_outcome(r.entry)}", WIDTH) for r in rows if r.entry.status != "ok"]
    lines += [_cut(f"   *  {row.entry.name}: {'; '.join(row.notes)}", WIDTH) for row in rows if row.notes]
    return "\n".join(lines) + "\n"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
