"""What was injected, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

BAD = ("lost", "repeated", "unclear")
MEANING = """\
- **lost**: a run or a score that was whole before the fault is gone or another number; or a command claims success
  and a run is missing.
- **repeated**: a finished run was done again.
- **unclear**: a traceback, a command that hangs, an exit status that does not fit, processes or scratch left behind,
  or a damaged file that nothing names.
"""


@dataclass
class Tally:
    """Counts by kind of fault."""

    injected: Counter[str] = field(default_factory=Counter)
    bad: Counter[tuple[str, str]] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def inject(self, kind: str) -> None:
        self.injected[kind] += 1

    def note(self, kind: str, column: str, text: str) -> None:
        """Count a bad outcome and keep a line about it."""
        assert column in BAD
        self.bad[kind, column] += 1
        self.lines.append(f"{column}: {kind}: {text}")

    @property
    def total(self) -> int:
        return sum(self.injected.values())

    @property
    def failed(self) -> bool:
        return bool(self.bad)

    def table(self) -> str:
        rows = [["fault", "injected", *BAD]]
        rows += [
            [kind, str(count), *(str(self.bad[kind, one]) for one in BAD)] for kind, count in self.injected.items()
        ]
        sums = (sum(n for (_, column), n in self.bad.items() if column == one) for one in BAD)
        rows.append(["all", str(self.total), *map(str, sums)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
        ]
        return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])

    def write(self, path: Path, words: str) -> None:
        """The table as a page."""
        path.write_text(f"# Faults\n\n{words}\n\n{self.table()}\n\n{MEANING}", encoding="utf-8")
