"""Archives of a size, and stopped trainings that another call goes on with."""

import json
from pathlib import Path

import pytest

from bench.errors import BenchError
from tests.gpu_train.parts import RECORD, grouped, pack, unpack


def test_groups_hold_everything_that_fits():
    sizes = {Path(name): size for name, size in {"a": 9, "b": 6, "c": 4, "d": 3, "e": 20, "f": 1}.items()}
    groups, left = grouped(sizes, 10)
    assert left == [Path("e")]
    assert sorted(path.name for group in groups for path in group) == ["a", "b", "c", "d", "f"]
    assert all(sum(sizes[path] for path in group) <= 10 for group in groups)
    assert len(groups) == 3


def test_a_stopped_training_goes_to_another_machine(tmp_path):
    here, there, out = tmp_path / "here", tmp_path / "there", tmp_path / "out"
    checkpoint = here / "tnrd" / "partial" / "0123456789abcdef" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    out.mkdir()
    (out / "stopped-of-last-time.tar.gz").write_bytes(b"")
    (row,) = pack(here, ["tnrd", "unet"], out)
    assert (row.part, row.what) == ("archive", "stopped-tnrd.tar.gz")
    assert [path.name for path in out.iterdir()] == [row.what]
    rows = [
        {"part": "tnrd", "verdict": "stopped", "details": {"steps": 4300}},
        {"part": "unet", "verdict": "stopped", "details": {"steps": 100}},
        {"part": "dncnn", "verdict": "ok", "details": {"steps": 7}},
    ]
    (out / RECORD).write_text(json.dumps({"rows": rows}))
    assert unpack(out, there) == {"tnrd": 4300}  # of the U-Net nothing was kept
    assert (there / checkpoint.relative_to(here)).read_bytes() == b"weights"


def test_a_part_holds_no_more_than_it_may(tmp_path):
    checkpoint = tmp_path / "unet" / "partial" / "0123456789abcdef" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(bytes(2**20))
    (row,) = pack(tmp_path, ["unet"], tmp_path, largest=2**20)
    assert row.found == "its checkpoint of 1 MiB is in no part"


def test_a_folder_of_something_else_is_refused_in_one_line(tmp_path):
    with pytest.raises(BenchError, match=r"holds no gpu_train\.json"):
        unpack(tmp_path, tmp_path)
