"""Every file of a run is checked when it is imported or used; what is at fault is one line, and the others stand."""

import json
import os
import random

import pytest
from fabricate import failed, result, run_directory, timing

from bench.errors import BenchError
from bench.leaderboard.publish import read_runs
from bench.runs.archive import export, exportable, unpack
from bench.runs.records import Result, finished
from bench.runs.run_directory import check, fault, whole


@pytest.fixture
def run(tmp_path):
    folder = run_directory(tmp_path / "there", result("tv"))
    (folder / "timing.json").write_text(timing().to_json())
    (folder / "tracked.json").write_text("{}")
    (folder / "log.txt").write_text("printed by /home/someone")
    return folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_run_as_it_was_written_is_whole(run, tmp_path):
    assert fault(run) == ""
    assert fault(run_directory(tmp_path / "there", failed("unet"))) == ""


NAMES = names(run_directory(__import__("pathlib").Path(__import__("tempfile").mkdtemp()), result("tv")))


@pytest.mark.parametrize("name", [*NAMES, "timing.json"])
def test_one_flipped_bit_in_any_file_is_one_line(run, tmp_path, name):
    original = (run / name).read_bytes()
    rng = random.Random(name)
    for _ in range(20 if name.endswith(".json") else 3):
        content = bytearray(original)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        (run / name).write_bytes(content)
        reason = fault(run)
        if not reason:  # the layout of a JSON text may move, its values may not
            assert json.loads(content) == json.loads(original)
            continue
        assert name in reason
        assert "\n" not in reason
        assert unpack(tmp_path / "there", tmp_path / "here").refused == [reason]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_missing_or_cut_is_one_line(run, name):
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[:-2])
    assert name in fault(run)
    (run / name).unlink()
    assert name in fault(run)


def test_files_that_no_run_has_left_are_refused(run, tmp_path):
    (run / "evil.py").write_text("print()")
    assert "evil.py is not among the files of the run" in fault(run)
    (run / "evil.py").unlink()
    os.symlink("/etc/passwd", run / "pictures" / "x.png")
    assert "is a link" in fault(run)
    assert not unpack(tmp_path / "there", tmp_path / "here").run_dirs


CHANGES = [
    ({"task": "../../evil"}, "task"),
    ({"track": "/etc/x"}, "track"),
    ({"method": "../tv"}, "method"),
    ({"family": "a/b"}, "family"),
    ({"label": "../x"}, "label"),
    ({"key": "../../x"}, "key"),
    ({"status": "fine"}, "status"),
    ({"seconds": float("nan")}, "seconds"),
    ({"hyperparameters": {"lam": float("inf")}}, "hyperparameters"),
    ({"training": {"loss": [1.0, float("nan")]}}, "training"),
    ({"date": "yesterday"}, "date"),
    ({"test_images": -1}, "test_images"),
    ({"files": {"../../evil": "0" * 64}}, "files"),
    ({"files": {"/etc/passwd": "0" * 64}}, "files"),
    ({"files": {"a.txt": "no hash"}}, "files"),
    ({"groups": {"../../x": "a"}}, "groups"),
    ({"metrics": {"../psnr": {"higher_is_better": True}}}, "metrics"),
    ({"invented": 1}, "invented"),
    ({"image_hashes": {}}, "image_hashes"),
]


@pytest.mark.parametrize(("change", "field"), CHANGES)
def test_a_hostile_record_is_one_line_and_the_rest_is_imported(tmp_path, change, field):
    good = run_directory(tmp_path / "there", result("nlm"))
    bad = run_directory(tmp_path / "there", result("tv"))
    values = json.loads((bad / "result.json").read_text())
    (bad / "result.json").write_text(json.dumps(values | change))
    found = unpack(tmp_path / "there", tmp_path / "in" / "here")
    assert [path.name for path in found.run_dirs] == [good.name]
    (line,) = found.refused
    assert f"{bad}/result.json is no valid result" in line
    assert field in line
    assert "\n" not in line
    assert [path.name for path in (tmp_path / "in" / "here").iterdir()] == [good.name]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["here"]


def test_a_record_with_missing_images_is_refused(tmp_path):
    bad = run_directory(tmp_path / "there", result("tv"))
    values = json.loads((bad / "result.json").read_text())
    del values["per_image"]["image-5"]
    (bad / "result.json").write_text(json.dumps(values))
    (line,) = unpack(tmp_path / "there", tmp_path / "here").refused
    assert "5 of 6 test images have scores" in line


def test_an_edited_score_is_seen_by_import_and_board(run, tmp_path):
    text = (run / "result.json").read_text()
    (run / "result.json").write_text(text.replace("28.25", "98.25", 1))
    assert "checksum: the file was changed" in fault(run)
    found = read_runs(tmp_path / "there")
    assert not found.results
    (line,) = found.problems
    assert "checksum" in line


def test_an_archive_carries_its_hashes(run, tmp_path):
    export([run], tmp_path / "x.zip")
    (imported,) = unpack(tmp_path / "x.zip", tmp_path / "here").run_dirs
    assert whole(imported).files == Result.read(run / "result.json").files
    assert not (imported / "log.txt").exists()


def test_a_damaged_run_is_replaced_by_an_import_and_a_whole_one_is_not(run, tmp_path):
    export([run], tmp_path / "x.zip")
    here = unpack(tmp_path / "x.zip", tmp_path / "here").run_dirs[0]
    (here / "checkpoint.ckpt").write_bytes(b"x")
    unpack(tmp_path / "x.zip", tmp_path / "here")
    assert fault(here) == ""
    before = (here / "result.json").stat().st_mtime_ns
    unpack(tmp_path / "x.zip", tmp_path / "here")
    assert (here / "result.json").stat().st_mtime_ns == before


def test_an_export_says_what_it_leaves_out(run, tmp_path):
    runs = tmp_path / "there"
    run_directory(runs, failed("unet"))
    damaged = run_directory(runs, result("nlm"))
    (damaged / "curves.csv").write_text("")
    (runs / ".tmp-1-new-x").mkdir()
    chosen, left = exportable(runs)
    assert chosen == [run]
    assert f"{damaged}/curves.csv was changed" in left[0]
    assert left[1:] == ["1 failed runs", "1 directories of runs at work or stopped"]
    assert finished(damaged)
    with pytest.raises(BenchError, match=r"curves\.csv was changed"):
        export([run, damaged], tmp_path / "x.zip")


def test_a_checkpoint_is_checked_before_it_is_used(run):
    outcome = Result.read(run / "result.json")
    check(run, outcome, "checkpoint.ckpt")
    content = bytearray((run / "checkpoint.ckpt").read_bytes())
    content[3000] ^= 1
    (run / "checkpoint.ckpt").write_bytes(content)
    with pytest.raises(BenchError, match=r"checkpoint\.ckpt was changed since the run wrote it"):
        check(run, outcome, "checkpoint.ckpt")
    with pytest.raises(BenchError, match="not among the files"):
        check(run, outcome, "other.ckpt")
