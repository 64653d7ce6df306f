"""Boards as aligned text for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from bench.leaderboard import cells
from bench.leaderboard.board_rows import Board, Row

WIDTH = 100  # characters of a line
SHOWN_METRICS = 3
MARK = "*"  # of a name, to which a footnote refers


def table(boards: Iterable[Board]) -> str:
    """All boards as aligned text of at most 100 columns."""
    return "\n".join(_board(board) for board in boards)


def _board(board: Board) -> str:
    shown = [row for row in board.rows if row.entry.status == "ok"]
    lines = [cells.cut(f"{board.name}, {board.about}", WIDTH)]
    if shown:
        lines += _rows(board, shown)
    for row in board.rows:
        remarks = "; ".join(filter(None, [row.role, row.reason, *row.notes]))
        if remarks:
            lines += _footnote(MARK if row.entry.status == "ok" else "–", f"{row.entry.name}: {remarks}")
    return "\n".join(lines) + "\n"


def _rows(board: Board, shown: list[Row]) -> list[str]:
    """The rows with their titles, with as many metrics as leave room for the names, at least one."""
    for count in range(SHOWN_METRICS, 0, -1):
        metrics = board.metrics[:count]
        titles = [cells.title(metric, board.lead.metrics[metric]) for metric in metrics]
        table = [["rank", "method", titles[0], "95 % interval", *titles[1:], "params", "time/image", "seeds"]]
        table += [_cells(row, metrics) for row in shown]
        columns = [column for column in zip(*table, strict=True) if any(column[1:])]
        widths = [max(map(len, column)) for column in columns]
        room = WIDTH - sum(widths) + widths[1] - 2 * (len(widths) - 1)
        if widths[1] <= room:
            break
    widths[1] = min(widths[1], room)
    lines = []
    for rank, name, *others in zip(*columns, strict=True):
        row = [rank, _cut(name, widths[1]).ljust(widths[1]), *others]
        lines.append("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return lines


def _cut(name: str, width: int) -> str:
    """A name of at most ``width`` characters, which keeps its mark."""
    mark = MARK if name.endswith(MARK) else ""
    return cells.cut(name.removesuffix(mark), width - len(mark)) + mark


def _footnote(mark: str, text: str) -> list[str]:
    """A remark on as many lines as it takes, indented below its mark."""
    start = f"   {mark}  "
    indent = " " * len(start)
    wrap = textwrap.TextWrapper(WIDTH, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False)
    return wrap.wrap(cells.one_line(text))


def _cells(row: Row, metrics: list[str]) -> list[str]:
    entry = row.entry
    scores = [cells.score(entry, metric) for metric in metrics]
    mark = MARK if row.role or row.reason or row.notes else ""
    first = [cells.rank(row.place), entry.name + mark, scores[0], cells.interval(entry, entry.primary)]
    return [*first, *scores[1:], cells.count(entry.parameters), cells.duration(entry), cells.seeds(entry)]
