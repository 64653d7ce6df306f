"""The share of a finding's sensitivity that lies inside the region that it should come from, method by method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.leaderboard.entries import Entry, mean


@dataclass(frozen=True)
class Line:
    """One method: shares in percent, means over images and seeds."""

    name: str
    inside: float
    area: float  # the share of the image that the region fills


@dataclass(frozen=True)
class Panel:
    """The methods with a sensitivity map, the highest share first."""

    region: str
    images: int
    lines: list[Line]


def panel(entries: Sequence[Entry]) -> Panel | None:
    """The panel of the entries of one track; None where no finding was asked."""
    asked = {entry.name: list(entry.sensitivity.values()) for entry in entries if entry.sensitivity}
    if not asked:
        return None
    lines = []
    for name, seeds in asked.items():
        inside = mean(100 * share for one in seeds for share in one.inside.values())
        lines.append(Line(name, inside, mean(100 * share for one in seeds for share in one.area.values())))
    first = next(iter(asked.values()))[0]
    return Panel(first.region, len(first.inside), sorted(lines, key=lambda line: -line.inside))
