"""Rows of the table, written one by one while a part works, and the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OK, FAILED, SHORT, NOTE = "ok", "FAILED", "falls short", ""


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
    width = max([len(row.what) for row in rows], default=0)
    lines = list(heads)
    for part in dict.fromkeys(row.part for row in rows):
        lines += ["", part]
        for row in rows:
            if row.part == part:
                goal = f"   [goal: {row.goal}]" if row.goal else ""
                lines.append(f"  {row.verdict:11}  {row.what:{width}}  {row.found}{goal}".rstrip())
    failures = [f"{row.part}: {row.what}" for row in rows if row.verdict == FAILED]
    short = sum(row.verdict == SHORT for row in rows)
    lines += ["", f"{len(failures)} failed, {short} fall short of their goal, {len(rows)} rows"]
    return "\n".join([*lines, *(f"  FAILED  {name}" for name in failures)]) + "\n"
