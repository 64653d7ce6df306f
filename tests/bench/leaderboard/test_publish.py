"""`bench board`: run directories are the truth, one bad file stops nothing, and what is published stays."""

import json
import subprocess
import sys

import pytest
from fabricate import failed, result, run_directory, timing

from bench.cli import main
from bench.errors import BenchError
from bench.leaderboard import agreement, publish, selection
from bench.leaderboard import entries as kept
from bench.leaderboard.entries import Renewed
from bench.tracking import mlflow as tracking

OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    for outcome in (result("tv"), result("direct", level=20), failed("net")):
        run_directory(folder, outcome)
    return folder


def names(outcome):
    return [entry.name for entry in outcome.entries]


def test_run_directories_become_entries_and_pages(runs, tmp_path, now):
    (runs / ".tmp-1-x").mkdir()
    (runs / ".tmp-1-x" / "result.json").write_text("half")
    (runs / result("tv").key / "timing.json").write_text(timing().to_json())
    outcome = publish.publish(runs, tmp_path / "boards", now)
    assert names(outcome) == ["direct", "net", "tv"]
    assert outcome.entries[2].timing == timing()
    assert not outcome.problems
    written = sorted(str(path.relative_to(tmp_path / "boards")) for path in (tmp_path / "boards").rglob("*.*"))
    assert written == [
        "README.md",
        "denoising/README.md",
        "denoising/mini/direct.json",
        "denoising/mini/net.json",
        "denoising/mini/tv.json",
    ]


def test_a_bad_run_is_told_and_the_others_are_published(runs, tmp_path, now):
    (runs / result("tv").key / "result.json").write_text('{"format": 2}')
    outcome = publish.publish(runs, tmp_path / "boards", now)
    assert names(outcome) == ["direct", "net"]
    (problem,) = outcome.problems
    assert result("tv").key in problem


def test_a_run_with_images_missing_is_refused(runs, tmp_path, now):
    path = runs / result("tv").key / "result.json"
    values = json.loads(path.read_text())
    for name in ("image-0", "image-1"):
        del values["per_image"][name]
    path.write_text(json.dumps(values))
    outcome = publish.publish(runs, tmp_path / "boards", now)
    assert names(outcome) == ["direct", "net"]
    assert "4 of 6 test images" in outcome.problems[0]


def test_runs_of_an_older_format_are_one_line(runs, tmp_path, now):
    for path in runs.glob("*/result.json"):
        values = json.loads(path.read_text())
        del values["format"]
        path.write_text(json.dumps(values))
    run_directory(runs, result("tgv"))
    outcome = publish.publish(runs, tmp_path / "boards", now)
    assert (names(outcome), outcome.problems) == (["tgv"], [])
    assert outcome.remarks == ["3 runs of an older format are passed over: run them again."]


def test_a_bad_entry_is_told_and_the_others_are_rendered(runs, tmp_path, now):
    boards = tmp_path / "boards"
    publish.publish(runs, boards, now)
    (boards / "denoising/mini/tv.json").write_text('{"task": "denoising"}')
    outcome = publish.publish(tmp_path / "none", boards, now)
    assert names(outcome) == ["direct", "net"]
    assert "mini/tv.json" in outcome.problems[0]
    assert "direct" in (boards / "denoising/README.md").read_text()
    (boards / "denoising/mini/tv.json").unlink()
    assert publish.publish(runs, boards, now).problems == []


@pytest.mark.parametrize("damage", ["cut", "edited"])
def test_a_damaged_entry_is_told_and_stays_until_it_is_restored(runs, tmp_path, now, damage):
    publish.publish(runs, tmp_path / "boards", now)
    path = tmp_path / "boards/denoising/mini/tv.json"
    whole = path.read_text()
    found = whole[:200] if damage == "cut" else whole.replace("28.25", "38.25")
    path.write_text(found)
    outcome = publish.publish(runs, tmp_path / "boards", now)
    (problem,) = outcome.problems
    assert f"{path} is no valid entry" in problem
    assert problem.endswith(f"Restore it, by `git restore {path}` for instance, or delete it.")
    assert path.read_text() == found
    assert names(outcome) == ["direct", "net"]
    path.unlink()
    assert names(publish.publish(runs, tmp_path / "boards", now)) == ["direct", "net", "tv"]


def test_mlflow_adds_the_runs_that_only_it_has(runs, tmp_path, now):
    outcome = publish.publish(runs, tmp_path / "boards", now, lambda: [result("tgv"), result("tv", level=99)])
    assert names(outcome) == ["direct", "net", "tgv", "tv"]
    assert outcome.entries[3].scores["psnr"] == pytest.approx(28.625)


def test_an_mlflow_that_cannot_be_read_drops_nothing(runs, tmp_path, now):
    def away():
        raise BenchError("no server answers at http://localhost:1.")

    outcome = publish.publish(runs, tmp_path / "boards", now, away)
    assert names(outcome) == ["direct", "net", "tv"]
    assert "no server answers" in outcome.remarks[0]


def test_runs_stay_on_the_board_when_the_database_is_made_anew(runs, tmp_path, monkeypatch, capsys):
    """The directories say that they were logged to this database, which was deleted and holds one new run."""
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for path in runs.iterdir():
        (path / "tracked.json").write_text(json.dumps({"uri": tracking.public(tracking.uri()), "run_id": "1"}))
    (tmp_path / "mlflow.db").touch()
    monkeypatch.setattr(tracking, "available", lambda: True)
    monkeypatch.setattr(tracking, "results", lambda: [result("tgv")])
    assert main(["board", "--boards", str(tmp_path / "boards")]) == 0
    assert "4 entries" in capsys.readouterr().out


def test_the_command_ends_with_status_1_where_a_file_is_bad(runs, tmp_path, monkeypatch, capsys):
    (runs / result("tv").key / "result.json").write_text("{")
    assert main(["board", "--runs", str(runs), "--boards", str(tmp_path / "boards")]) == 1
    told = capsys.readouterr()
    assert "2 entries" in told.out
    assert told.err.startswith("bench: ")
    assert result("tv").key in told.err


def test_no_folder_of_boards_is_made_where_there_is_nothing_to_publish(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(tracking, "available", lambda: False)
    assert main(["board"]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "leaderboards").exists()


def test_writing_keeps_other_entries_and_touches_only_what_changes(runs, tmp_path, now):
    boards = tmp_path / "boards"
    publish.publish(runs, boards, now)
    path = boards / "denoising/mini/direct.json"
    before = path.stat().st_mtime_ns
    made, _ = selection.entries([result("tv", level=29, date=NEW)], now)
    found = publish.write(made, boards, now)
    assert [entry.name for entry in found.entries] == ["direct", "net", "tv"]
    assert path.stat().st_mtime_ns == before
    assert not list(boards.rglob(".tmp-*"))


def test_the_page_of_a_task_without_entries_goes_and_other_files_stay(runs, tmp_path, now):
    boards = tmp_path / "boards"
    publish.publish(runs, boards, now)
    for path in (boards / "denoising/mini").iterdir():
        path.unlink()
    (boards / "notes").mkdir()
    (boards / "notes/README.md").write_text("# Notes\n\nMine.\n")
    publish.publish(tmp_path / "none", boards, now)
    assert sorted(str(path.relative_to(boards)) for path in boards.rglob("*.md")) == ["README.md", "notes/README.md"]


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        ({"date": OLD}, {"date": NEW}, False),
        ({"date": NEW}, {"date": OLD}, True),
        ({"date": OLD}, {"date": NEW, "dirty": True}, True),
        ({"date": OLD}, {"date": NEW, "protocol_version": 1}, True),
        ({"date": NEW, "protocol_version": 1}, {"date": OLD}, False),
        ({"date": NEW, "task_version": 0}, {"date": OLD}, False),
        ({"date": OLD, "status": "unsupported", "per_image": {}, "reason": "x"}, {"date": NEW}, False),
        ({"date": OLD}, {"date": NEW, "status": "failed", "per_image": {}, "reason": "x"}, True),
        ({"date": OLD}, {"date": NEW, "seeds": [0, 1]}, True),
    ],
)
def test_an_entry_on_disk_gives_way_by_the_rule_for_runs(tmp_path, now, old, new, stays):
    (first,), _ = selection.entries([result("tv", level=30, group="old", **old)], now)
    (second,), _ = selection.entries([result("tv", level=20, group="new", **new)], now)
    publish.write([first], tmp_path, now)
    assert publish.write([second], tmp_path, now).entries == [first if stays else second]


def test_what_was_verified_stays_so_for_the_same_runs(runs, tmp_path, now):
    boards = tmp_path / "boards"
    publish.publish(runs, boards, now)
    entry = kept.read(boards / "denoising/mini/tv.json")
    seen = agreement.compare(entry, {0: {"image-0": entry.per_seed["0"]["image-0"]}}, entry.image_hashes)
    seen = agreement.verified(entry, seen, NEW, "c", "cpu")
    kept.write_text(boards / entry.file, seen.to_json())
    publish.publish(runs, boards, now)
    assert kept.read(boards / entry.file).verified == seen.verified


def test_a_renewed_entry_learns_what_is_found_out_about_its_runs_since(runs, tmp_path, now, monkeypatch):
    """The runs themselves are of the code before; it is used again as today's, which gives equal bits."""
    boards = tmp_path / publish.DEFAULT
    publish.publish(runs, boards, now)
    entry = kept.read(boards / "denoising/mini/tv.json")
    result = next(one for one in publish.read_runs(runs).results if one.key in entry.keys.values())
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    assert not publish.is_renewed(result, "c" * 20)
    seen = Renewed(date=NEW, commit="c" * 40, images=1, device="cpu", code_before=entry.code)
    old = entry.model_copy(update={"code": "c" * 20, "renewed": seen})
    kept.write_text(boards / old.file, old.to_json())
    assert publish.is_renewed(result, "c" * 20)
    assert not publish.is_renewed(result, "d" * 20)
    assert not publish.is_renewed(result.model_copy(update={"key": "e" * 20}), "c" * 20)
    timed = entry.model_copy(update={"timing": timing()})
    assert selection.enriched(old, timed) == old.model_copy(update={"timing": timing()})
    assert selection.enriched(old.model_copy(update={"timing": timing()}), entry).timing == timing()
    assert selection.enriched(entry, timed) == entry
    assert selection.enriched(old, timed.model_copy(update={"keys": {"0": "e" * 20}})) == old


def figures(folder, **changes):
    values = {"track": "denoising:mini", "method": "tv", "metric": "psnr", "value": 28.5, "source": "a paper"}
    folder.mkdir(exist_ok=True)
    (folder / "published.json").write_text(json.dumps({"format": 1, "figures": [values | changes]}))


def test_published_figures_follow_their_file(runs, tmp_path, now):
    boards = tmp_path / "boards"
    figures(boards)
    assert publish.publish(runs, boards, now).entries[2].published.value == 28.5
    figures(boards, value=28.75)
    assert publish.publish(tmp_path / "none", boards, now).entries[2].published.value == 28.75
    figures(boards, metric="nmse")
    outcome = publish.publish(tmp_path / "none", boards, now)
    assert (outcome.entries[2].published, outcome.problems) == (None, [])


@pytest.mark.parametrize(
    ("changes", "field"), [({"value": "high"}, "value"), ({"url": "javascript:x"}, "url"), ({"track": "../x"}, "track")]
)
def test_a_bad_published_figure_is_one_line(runs, tmp_path, now, changes, field):
    figures(tmp_path / "boards", **changes)
    outcome = publish.publish(runs, tmp_path / "boards", now)
    assert names(outcome) == ["direct", "net", "tv"]
    (problem,) = outcome.problems
    assert f"published.json is no valid figures: figures.0.{field}" in problem


def test_importing_the_board_is_light():
    code = (
        "import sys, bench.leaderboard.publish, bench.leaderboard.agreement, bench.tracking.mlflow; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "mlflow", "scipy", "numpy"} & set(done.stdout.split())
