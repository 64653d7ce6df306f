"""Rows of the table, written one by one while a part works, and the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

OK, FAILED, SHORT, NOTE = "ok", "FAILED", "falls short", ""

NAMED = 3  # failures of one cause that the table names; the JSON names all


@dataclass(frozen=True)
class Row:
    """One line of the table: a verdict, the thing looked at, the finding, its goal; ``details`` are for programs."""

    verdict: str
    what: str
    found: str
    goal: str = ""
    part: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def compared(what: str, found: float, shown: str, goal: str, good: Callable[[float], bool] | None) -> Row:
    """A row whose number misses its goal or not; without a goal on this device it is only a note."""
    if good is None:
        return Row(NOTE, what, shown, details={"value": found})
    return Row(OK if good(found) else SHORT, what, shown, goal, details={"value": found})


def write(row: Row, path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")


def read(path: Path) -> list[Row]:
    """The rows written so far; a last line that a killed process left unfinished is passed over."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows.append(Row(**json.loads(line)))
        except ValueError:
            continue
    return rows


def table(rows: Sequence[Row], heads: Iterable[str]) -> str:
    """The rows as text, a group for each part, and a last line that counts the verdicts."""
    shown = merged(rows)
    width = max([len(row.what) for row in shown], default=0)
    lines = list(heads)
    for part in dict.fromkeys(row.part for row in shown):
        lines += ["", part]
        for row in shown:
            if row.part == part:
                goal = f"   [goal: {row.goal}]" if row.goal else ""
                lines.append(f"  {row.verdict:11}  {row.what:{width}}  {row.found}{goal}".rstrip())
    failed, short = (sum(row.verdict == verdict for row in rows) for verdict in (FAILED, SHORT))
    lines += ["", f"{failed} failed, {short} fall short of their goal, {len(rows)} rows"]
    return "\n".join([*lines, *(f"  FAILED  {row.part}: {row.what}" for row in shown if row.verdict == FAILED)]) + "\n"


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows, with one in place of all failures of a part that say the same; it names the first few."""
    groups: dict[Any, list[Row]] = {}
    for number, row in enumerate(rows):
        groups.setdefault((row.part, row.found) if row.verdict == FAILED else number, []).append(row)
    found = []
    for same in groups.values():
        names = ", ".join(row.what for row in same[:NAMED])
        rest = f" and {len(same) - NAMED} more" if len(same) > NAMED else ""
        found.append(replace(same[0], what=names + rest))
    return found
