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


def test_an_end_is_told_by_its_score_its_reason_or_its_error(spec, lines):
    told = Console(4, lines.append)
    told.ended(spec, result(per_image={"a": {"psnr": 28.0, "ssim": 0.5}}), 7.4)
    told.ended(spec, failed(reason="NaN"), 1.0)
    told.ended(spec, failed(status="unsupported", reason="needs k-space"), 1.0)
    told.ended(spec, "the process ended with exit status 3", 1.0)
    start = "toy:mini  shrink@limit=2  seed 3  "
    assert lines == [
        f"[1/4] {start}psnr 28 dB  (7 s, key {spec.key[:8]})",
        f"[2/4] {start}FAILED: NaN",
        f"[3/4] {start}UNSUPPORTED: needs k-space",
        f"[4/4] {start}FAILED: the process ended with exit status 3",
    ]
    assert told.failures == 2


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
