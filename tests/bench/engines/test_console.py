"""One line for each run that ends, and a living line of those at work."""

import pytest
import toy
from fabricate import failed, result

from bench.engines import console
from bench.engines.console import EVERY, Console
from bench.engines.local import Task, Working


@pytest.fixture
def spec(toys, shrink):
    return toy.spec(shrink, seed=3, limit=2)


def test_an_end_is_told_by_its_key_and_its_score_its_reason_or_its_error(spec, lines, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_STORE", "/store")
    told = Console(5, lines.append)
    told.ended(spec, result(per_image={"a": {"psnr": 28.0, "ssim": 0.5}}), 7.4)
    told.ended(spec, failed(reason="NaN"), 1.0)
    told.ended(spec, failed(status="unsupported", reason="needs k-space"), 1.0)
    told.ended(spec, "the process ended with exit status 3", 1.0)
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    traceback = tmp_path / "runs" / spec.key / "traceback.txt"
    traceback.parent.mkdir(parents=True)
    traceback.touch()
    told.ended(spec, failed(reason="NaN"), 1.0)
    key = f"key {spec.key[:8]}"
    start = "toy:mini  shrink@limit=2  seed 3  "
    assert lines == [
        f"[1/5] {start}psnr 28 dB  (7 s, {key})",
        f"[2/5] {start}FAILED: NaN  ({key})",
        f"[3/5] {start}UNSUPPORTED: needs k-space  ({key})",
        f"[4/5] {start}FAILED: the process ended with exit status 3",
        f"[5/5] {start}FAILED: NaN  ({key}, traceback in {traceback})",
    ]
    assert told.failures == 3


def test_a_training_that_went_on_is_told_from_where(spec, lines):
    told = Console(1, lines.append)
    told.ended(spec, result(per_image={"a": {"psnr": 28.0}}, training={"steps": 9, "resumed_at": [2, 4]}), 7.4)
    assert lines == [
        f"[1/1] toy:mini  shrink@limit=2  seed 3  psnr 28 dB  (went on from step 4, 7 s, key {spec.key[:8]})"
    ]


def test_a_run_of_another_command_is_no_failure(spec, lines):
    told = Console(1, lines.append)
    told.elsewhere(spec)
    assert lines == ["[1/1] toy:mini  shrink@limit=2  seed 3  done by another command"]
    assert (told.done, told.failures) == (1, 0)


def test_progress_is_told_now_and_then_where_there_is_no_terminal(lines, monkeypatch):
    class Engine:
        def __init__(self):
            self.working = {None: Working(Task("toy:mini shrink", toy.chore, (), 1.0), None, 0, stage="tuning 2/3")}

    now = 1000.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    told = Console(5, lines.append)
    told.show(Engine())
    assert lines == []
    now += EVERY + 1
    told.show(Engine())
    told.show(Engine())
    assert lines == ["... 0/5 | toy:mini shrink: tuning 2/3"]
