"""`bench board`: run directories -> entries -> the folder of boards and its pages.

Run directories are the truth. MLflow adds runs that only it holds, and may be away, empty or another's database.
One damaged file stops nothing: it is reported, and everything else is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.errors import BenchError
from bench.leaderboard import board_rows, page, selection
from bench.leaderboard import entries as kept
from bench.leaderboard.entries import Entry, Published
from bench.leaderboard.staleness import Now
from bench.places import ROOT
from bench.runs.records import FORMAT, Result
from bench.runs.run_directory import ADDED
from bench.sealed import Label, Name, Record, Sealed

PUBLISHED = "published.json"
DEFAULT = Path("leaderboards")
REMEDY = "Delete that file, and type the command again that made it."


class Figure(Published):
    """A figure from the literature, and the row beside which it stands."""

    track: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][\w.+-]*:[A-Za-z0-9_][\w.+-]*$")]
    method: Name
    weights: Label = ""  # the stem of the file, beside a row of published weights


class Figures(Record):
    """`leaderboards/published.json`."""

    format: Literal[1]
    figures: list[Figure]


@dataclass
class Runs:
    """The results of a folder of run directories, later records of them, and one line for each unreadable file."""

    results: list[Result] = field(default_factory=list)
    records: dict[str, dict[str, Sealed]] = field(default_factory=dict)  # {"stress": {key: record}}, and so on
    problems: list[str] = field(default_factory=list)
    older: int = 0  # results of an older format, which are passed over


@dataclass(frozen=True)
class Outcome:
    """What a board was made of: its entries and boards, what is wrong with files, and what else a user should know."""

    entries: list[Entry]
    boards: list[board_rows.Board]
    problems: list[str]
    remarks: list[str]


def publish(
    runs: Path,
    folder: Path,  # of boards
    now: Now,
    mirror: Callable[[], Iterable[Result]] | None = None,  # results that MLflow holds
) -> Outcome:
    """Publish what run directories hold. Raises `BenchError` where nothing is to be written, or can't be."""
    found = read_runs(runs)
    remarks = []
    if found.older:
        remarks.append(f"{found.older} runs of an older format are passed over: run them again.")
    if mirror is not None:
        known = {result.key for result in found.results}
        try:
            found.results += [result for result in mirror() if result.key not in known]
        except BenchError as error:
            remarks.append(f"only run directories are read, MLflow is not: {error}")
    figures, problems = read_published(folder)
    made, unmade = selection.entries(found.results, now, figures, **found.records)
    if not made and not folder.exists():
        raise BenchError(
            f"no finished runs in {runs}, and no folder {folder} here: nothing was written. "
            "Change to the repository, or name the folder by --boards."
        )
    reading = write(made, folder, now, figures)
    boards = board_rows.boards(reading.entries, now)
    pages = page.pages(boards)
    for path, text in pages.items():
        kept.write_text(folder / path, text)
    for left in set(folder.glob(f"*/{page.PAGE}")) - {folder / path for path in pages}:
        if page.is_task_page(left.read_text(encoding="utf-8", errors="replace")):
            left.unlink()  # of a task whose entries are gone
    return Outcome(reading.entries, boards, [*found.problems, *problems, *unmade, *reading.problems], remarks)


def read_runs(runs: Path) -> Runs:
    """Read the results and costs of all run directories in a folder."""
    found = Runs()
    for path in sorted(runs.glob("*/result.json")):
        if path.parent.name.startswith("."):
            continue
        if kept.is_older(path, FORMAT):
            found.older += 1
            continue
        try:
            result = Result.read(path)
        except BenchError as error:
            found.problems.append(f"{error} {REMEDY}")
            continue
        found.results.append(result)
        for file, kind in ADDED.items():
            if (added := path.with_name(file)).exists():
                try:
                    found.records.setdefault(added.stem, {})[result.key] = kind.read(added)
                except BenchError as error:
                    found.problems.append(f"{error} {REMEDY}")
    return found


def read_published(folder: Path) -> tuple[dict[tuple[str, str], Published], list[str]]:
    """``{(task:track, row): figure}`` of `published.json` in a folder of boards, else of the repository's."""
    for path in (folder / PUBLISHED, ROOT / DEFAULT / PUBLISHED):
        if path.exists():
            break
    else:
        return {}, []
    try:
        figures = Figures.read(path).figures
    except BenchError as error:
        return {}, [str(error)]
    left_out = {"track", "method", "weights"}
    found = {(one.track, row_of(one)): Published(**one.model_dump(exclude=left_out)) for one in figures}
    twice = len(figures) - len(found)
    return found, [f"{path} holds {twice} rows twice."] if twice else []


def row_of(figure: Figure) -> str:
    """The row beside which a figure stands, as a board names it."""
    return f"{figure.method}@weights={figure.weights}" if figure.weights else figure.method


def is_renewed(result: Result, code: str) -> bool:
    """Whether the repository's entry of a run was renewed for a ``code``, which gave equal bits for it."""
    boards = ROOT / DEFAULT
    path = boards / result.task / result.track / f"{result.name}.json"
    try:
        entry = kept.read(path, boards)
    except (BenchError, OSError):
        return False
    return entry.renewed is not None and entry.code == code and result.key in entry.keys.values()


def write(
    entries: Iterable[Entry], folder: Path, now: Now, figures: dict[tuple[str, str], Published] | None = None
) -> kept.Reading:
    """Write entries, and return all that are in the folder now.

    An entry on disk stays where `selection.preferred` prefers it to the new one, but it learns what the new one knows
    of the same runs. One that is damaged stays too: it may know more of its runs than the store does. The published
    figure beside an entry is always the one of `published.json`.
    """
    reading = kept.read_all(folder)
    before = {entry.file: entry for entry in reading.entries}
    for new in entries:
        if new.file in reading.damaged:
            continue
        old = before.get(new.file)
        if old is None or selection.preferred([new, old], now) is new:
            before[new.file] = selection.merged(new, old) if old else new
        else:
            before[new.file] = selection.enriched(old, new)
    for file, entry in before.items():
        if figures is not None:
            figure = figures.get((entry.board, entry.name))
            if figure is not None and figure.metric not in entry.metrics:
                figure = None
            entry = entry.model_copy(update={"published": figure})
        kept.write_text(folder / file, entry.to_json())
    return kept.read_all(folder)
