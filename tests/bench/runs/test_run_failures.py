"""A run that fails or does not apply is a result with its reason in one line, and leaves no scores."""

import errno
import os
from pathlib import Path

import pytest
import toy
from toy_runs import do

from bench.errors import BenchError
from bench.runs import run as running
from bench.runs.outcomes import Outcome

pytestmark = pytest.mark.usefixtures("toys", "store", "sandbox")


def test_an_unsupported_pair_is_a_result_with_its_reason(tmp_path):
    supports = "    @classmethod\n    def supports(cls, track):\n        return f'{track.task} has no k-space'\n"
    result = do(toy.method_file(tmp_path, "picky", supports))[1]
    assert (result.status, result.reason) == ("unsupported", "toy has no k-space")
    assert result.per_image == {}


def test_a_failure_is_a_result_with_one_line_and_a_traceback(tmp_path):
    folder, result = do(toy.method_file(tmp_path, "bad", "raise ValueError('one\\nand two')"))
    assert (result.status, result.reason) == ("failed", "ValueError: one and two (bad.py, line 16)")
    assert "and two" in (folder / "traceback.txt").read_text()
    assert result.per_image == {}


def test_a_failure_on_a_later_image_leaves_no_scores(tmp_path):
    result = do(toy.method_file(tmp_path, "bad", "self.n = getattr(self, 'n', 0) + 1\nreturn y / (self.n < 3)"))[1]
    assert result.reason == "on image test-2 the method returned NaN or infinite values."
    assert (result.per_image, result.data_hash) == ({}, "")


def test_missing_data_is_a_failed_row_with_the_remedy(shrink):
    result = do(shrink, "toy:absent")[1]
    assert (result.status, result.reason) == ("failed", "data set 'toys' lacks one.png: run `bench data get toys`.")


def test_without_a_data_root_a_real_track_tells_what_to_do(monkeypatch):
    monkeypatch.delenv("BENCH_DATA", raising=False)
    result = do("direct", "denoising:bsd68-s25", limit=1)[1]
    assert result.status == "failed"
    assert result.reason.startswith("data set 'bsd68' lacks ")
    assert "bench data get bsd68" in result.reason


@pytest.mark.skipif(not (Path(os.environ.get("BENCH_DATA") or "/nowhere") / "bsd68").is_dir(), reason="needs bsd68")
def test_a_flipped_byte_in_a_data_set_is_told(tmp_path, monkeypatch):
    original = Path(os.environ["BENCH_DATA"]) / "bsd68"
    copy = tmp_path / "data" / "bsd68"
    copy.mkdir(parents=True)
    first, *others = sorted(path for path in original.iterdir() if path.suffix == ".png")
    for path in others:
        (copy / path.name).symlink_to(path)
    content = bytearray(first.read_bytes())
    content[-20] ^= 1
    (copy / first.name).write_bytes(content)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    result = do("direct", "denoising:bsd68-s25", limit=2)[1]
    assert result.status == "failed"
    assert f"{first.name} is corrupt" in result.reason


def test_the_process_that_broke_tells_the_first_why(tmp_path, monkeypatch):
    lost = Outcome("failed", "RuntimeError: Connection closed by peer")
    running.share_failure(tmp_path, lost, RuntimeError())
    assert lost.reason == "RuntimeError: Connection closed by peer"
    monkeypatch.setenv("LOCAL_RANK", "1")
    running.share_failure(tmp_path, Outcome("failed", "on image b: NaN", traceback="..."), BenchError("NaN"))
    monkeypatch.setenv("LOCAL_RANK", "0")
    running.share_failure(tmp_path, lost, RuntimeError())
    assert (lost.reason, lost.traceback) == ("on image b: NaN", "...")


@pytest.mark.parametrize("where", ["bench.evaluation.pictures.save", "bench.runs.run_directory.make_result"])
def test_a_full_disk_is_one_line_and_nothing_half_written(shrink, store, monkeypatch, where):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(where, full)
    with pytest.raises(BenchError, match="No space left on device"):
        do(shrink)
    assert list((store / "runs").iterdir()) == []
