"""Boards as Markdown: an index, and one page for each task; the templates lie in `templates/`.

Every value that a template shows passes `inline`, so that no text of an entry can end its table cell, open a code block
or an HTML tag, or start a line of its own. `Markdown` marks text that has been made safe already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.leaderboard import cells
from bench.leaderboard.board_rows import Board
from bench.leaderboard.cells import one_line
from bench.leaderboard.panels import by_part_of_seeds, sensitivity, stability, task_quality
from bench.leaderboard.statistics import CONFIDENCE, FEWEST_GROUPS, FEWEST_SEEDS

if TYPE_CHECKING:
    from jinja2 import Environment

    from bench.leaderboard.entries import Entry

PAGE = "README.md"
TEMPLATES = Path(__file__).parent / "templates"
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "|": "&#124;"}
LONGEST_LIST = 12  # methods named in a line of a page


class Markdown(str):
    """Text that may stand in a page as it is."""

    __slots__ = ()


def pages(boards: Sequence[Board]) -> dict[str, str]:
    """``{path below the folder of boards: Markdown}``: the index and a page for each task."""
    environment = _environment()
    tasks: dict[str, list[Board]] = {}
    for board in boards:
        tasks.setdefault(board.lead.task, []).append(board)
    found = {PAGE: environment.get_template("index.md.jinja").render(tasks=tasks)}
    for task, members in tasks.items():
        found[f"{task}/{PAGE}"] = environment.get_template("task.md.jinja").render(task=task, boards=members)
    return {path: re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n" for path, text in found.items()}


def is_task_page(text: str) -> bool:
    """Whether a text was rendered as the page of a task."""
    return bool(re.match(r"# [^\n]+\n\n\[All boards, and how to read them\]\(\.\./README\.md\)\n", text))


def inline(text: Any) -> str:
    """Any text as a piece of one line that Markdown and HTML take literally."""
    if isinstance(text, Markdown):
        return text
    return "".join(ENTITIES.get(c, f"\\{c}" if c in "\\`*_{}[]#~!" else c) for c in one_line(str(text)))


def fence(commands: Iterable[str]) -> Markdown:
    """Commands as a code block that none of them can close, one a line."""
    lines = [one_line(command) for command in dict.fromkeys(commands)]
    longest = max([2, *(len(run) for line in lines for run in re.findall("`+", line))])
    marks = "`" * (longest + 1)
    return Markdown("\n".join([marks, *lines, marks]))


def anchor(board: Board) -> Markdown:
    """The link target that GitHub gives to the heading of a board."""
    return Markdown(re.sub(r"[^a-z0-9_-]", "", board.name.lower()))


def names(rows: Sequence[Any]) -> str:
    shown = [row if isinstance(row, str) else row.entry.name for row in rows]
    more = len(shown) - LONGEST_LIST
    return ", ".join(shown[:LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")


def first(board: Board) -> str:
    """The methods that are joint first; the best mean where groups are too few to tell."""
    if board.ranking.too_few:
        best = [row for row in board.ranked if row.place and row.place.order == 1]
        return f"{names(best)} (by the mean only)" if best else "–"
    joint = [row for row in board.ranked if row.place and row.place.joint_first]
    return names([f"{row.entry.name} ({cells.rank(row.place)})" for row in joint]) or "–"


def current(board: Board) -> list[Entry]:
    """The entries of a board that the present code would make again."""
    return [row.entry for row in board.rows if not row.stale]


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        finalize=inline,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,  # `finalize` escapes, for Markdown and for HTML
    )
    environment.globals |= {
        "cells": cells,
        "panels": lambda board: stability.panels(current(board)),
        "task_quality": lambda board: task_quality.panel([row.entry for row in board.ranked]),
        "sensitivity": lambda board: sensitivity.panel(current(board)),
        "partly": lambda board, field: by_part_of_seeds(current(board), field),
        "fence": fence,
        "anchor": anchor,
        "names": names,
        "first": first,
        "markdown": Markdown,
        "confidence": f"{CONFIDENCE * 100:.0f} %",
        "error": f"{(1 - CONFIDENCE) * 100:.0f} %",
        "fewest_groups": FEWEST_GROUPS,
        "fewest_seeds": FEWEST_SEEDS,
    }
    return environment
