"""The scores of a run are written before anything else is asked of its method."""

import pytest
import toy

from bench.engines import pending_runs
from bench.runs.records import Result
from bench.runs.run_directory import whole


@pytest.fixture
def hasty(hasty_tracks, monkeypatch):
    """A run has a second, and some more to write."""
    monkeypatch.setattr(pending_runs, "GRACE", 9.0)


ENDS = {
    "hangs": "while True: pass",
    "exits": "os._exit(3)",
    "stops": "raise SystemExit(1)",
    "fails": "raise OSError(5)",
}


def test_a_look_inside_that_hangs_or_breaks_costs_no_scores(go, hasty, tmp_path, store, lines):
    methods = [
        toy.method_file(tmp_path, name, toy.DESCENT.replace("return [2.0, 1.0]", end)) for name, end in ENDS.items()
    ]
    assert go(*methods, tracks=("hasty",)) == 0
    assert all("psnr" in line for line in lines)
    for folder in (store / "runs").iterdir():
        result = whole(folder)
        assert (result.status, len(result.per_image)) == ("ok", 5)
        warned = (folder / "warnings.txt").read_text() if (folder / "warnings.txt").exists() else ""
        assert ("no look inside the method" in warned) == (result.method == "fails")
    lines.clear()
    assert go(*methods, tracks=("hasty",)) == 0
    assert lines == ["4 of 4 done, 0 to go"]


def test_what_a_look_shows_stands_among_the_files_of_the_run(go, tmp_path, store):
    assert go(toy.method_file(tmp_path, "atoms", toy.ATOMS), toy.method_file(tmp_path, "descent", toy.DESCENT)) == 0
    found = {result.method: result for result in map(whole, (store / "runs").iterdir())}
    assert {"atoms.npz", "pictures/learned-dictionary.png", "pictures/test-0.png"} <= set(found["atoms"].files)
    curves = (store / "runs" / found["descent"].key / "curves.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in curves] == ["name", "objective", "objective"]


def test_a_picture_that_cannot_be_drawn_costs_the_picture(toys, store, tmp_path, monkeypatch):
    def odd(*arguments):
        raise ValueError("cannot draw")

    monkeypatch.setattr("bench.evaluation.pictures.save", odd)
    folder = toy.perform_here(toy.spec(toy.method_file(tmp_path, "plain", "return y")))
    assert Result.read(folder / "result.json").status == "ok"
    assert "no picture of test-0: ValueError: cannot draw" in (folder / "warnings.txt").read_text()
