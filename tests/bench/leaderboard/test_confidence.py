"""Scores of standard deviations stand in a panel of their own, and records without them stay as they are."""

import json

import pytest
from fabricate import IMAGES, result

from bench.errors import BenchError
from bench.leaderboard import board_rows, selection
from bench.leaderboard.entries import Entry
from bench.leaderboard.page import pages
from bench.places import ROOT
from bench.runs.records import Confidence, Result
from bench.tracking import fields


def confidence(level=88.0, factor=(2.5, 4.0), **changes):
    scores = {"coverage": level - 40, "calibrated_coverage": level, "width": 0.125, "correlation": 0.5, "ause": 0.25}
    per_image = {f"image-{i}": scores | {"calibrated_coverage": level + i / 2} for i in range(IMAGES)}
    return Confidence(**({"level": 90, "factor": list(factor), "images": 8, "per_image": per_image} | changes))


def entries(now, **found):
    """One row for each method, with the scores of its seeds."""
    rows = [result(method, seed, confidence=one) for method, seeds in found.items() for seed, one in enumerate(seeds)]
    made, problems = selection.entries(rows, now)
    assert not problems
    return made


def test_the_panel_shows_coverage_and_its_error_over_seeds_and_no_rank_depends_on_it(now):
    with_panel = entries(now, tv=[confidence(), confidence(92.0, (3.0, 2.0))], nlm=[None])
    text = pages(board_rows.boards(with_panel, now))["denoising/README.md"]
    (line,) = [line for line in text.splitlines() if line.startswith("| tv | 28")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:5] == ["50.00", "−40.00", "91.25"]  # the mean over images adds 1.25 to the calibrated one
    assert cells[6:] == ["+1.25", "0.1250", "0.5000", "0.2500", "2–4"]
    low, high = map(float, cells[5].strip("[]\\").split(","))
    assert low < 91.25 < high
    without = entries(now, tv=[None, None], nlm=[None])
    assert "Confidence:" not in pages(board_rows.boards(without, now))["denoising/README.md"]
    before, after = (board_rows.boards(rows, now)[0].ranking for rows in (without, with_panel))
    assert before == after


def test_an_infinite_factor_and_an_absent_width_are_shown(now):
    scores = {"coverage": 10.0, "calibrated_coverage": 100.0, "correlation": 0.0, "ause": 1.0}
    none = confidence(factor=(None, None), per_image={f"image-{i}": scores for i in range(IMAGES)})
    text = pages(board_rows.boards(entries(now, tv=[none]), now))["denoising/README.md"]
    assert r"| 100.00 | \[100.00, 100.00\] | +10.00 |  | 0.0000 | 1.0000 | ∞ |" in text


def test_the_scores_are_numbers_of_the_run_in_the_dashboard():
    shown = fields.numbers(result(confidence=confidence()))
    assert shown["calibrated_coverage"] == pytest.approx(89.25)
    assert "coverage" not in fields.numbers(result())


def test_records_come_back_and_those_without_are_written_as_before(now):
    one = result(confidence=confidence())
    assert Result.from_json(one.to_json()) == one
    assert "confidence" not in json.loads(result().to_json())
    published = ROOT / "leaderboards/denoising/mini/unet.json"
    assert Entry.read(published).to_json() == published.read_text(encoding="utf-8")
    (entry,) = entries(now, tv=[confidence()])
    assert Entry.from_json(entry.to_json()) == entry
    with pytest.raises(BenchError, match="checksum"):
        Entry.from_json(entry.to_json().replace("0.125", "0.0125"))
