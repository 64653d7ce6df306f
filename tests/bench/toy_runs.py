"""Runs of the toy task in the process of a test, and the results of runs that have ended."""

import json
from pathlib import Path

import toy

from bench.runs.records import Result


def outcome(folder: Path) -> Result:
    return Result.read(folder / "result.json")


def read(folder: Path, name: str):
    return json.loads((folder / name).read_text())


def do(method: str, track: str = "toy:mini", **options) -> tuple[Path, Result]:
    folder = toy.perform_here(toy.spec(method, track, **options))
    return folder, outcome(folder)


def results(store: Path) -> dict[str, Result]:
    """By method."""
    found = [Result.read(path) for path in (store / "runs").glob("[!.]*/result.json")]
    return {result.method: result for result in found}
