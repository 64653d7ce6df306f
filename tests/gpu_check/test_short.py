"""The check on a GPU, in its short form on the processor: every part works and has its say."""

import json
import os
import subprocess
import sys
import tarfile

import pytest

from tests.gpu_check.surroundings import ROOT

PARTS = ["speed", "contract", "references", "agreement", "runs", "recordings", "mini_training", "archive"]
PARTS += ["resume"]


@pytest.mark.slow
def test_the_whole_check_in_its_short_form(tmp_path):
    words = [sys.executable, "-m", "tests.gpu_check", "--short", "--cpu", "--out", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "BENCH_WHEELS"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "gpu_check.json").read_text())["rows"]
    assert list(dict.fromkeys(row["part"] for row in rows)) == PARTS
    assert {row["verdict"] for row in rows} == {"ok", ""}
    assert (tmp_path / "gpu_check.txt").read_text() == done.stdout
    with tarfile.open(tmp_path / "runs.tar.gz") as archive:
        runs = {name.partition("/")[0] for name in archive.getnames()}
    assert len(runs) == 4  # of two methods, on one thread and on two
