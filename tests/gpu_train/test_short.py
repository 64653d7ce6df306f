"""The trainings in their short form on the processor: each trains, is scored, and lies in the archive."""

import json
import os
import subprocess
import sys
import tarfile

import pytest

from tests.gpu_check.surroundings import ROOT


@pytest.mark.slow
def test_all_trainings_in_their_short_form(tmp_path):
    words = [sys.executable, "-m", "tests.gpu_train", "--short", "--cpu", "--minutes", "6"]
    environment = {name: value for name, value in os.environ.items() if name != "BENCH_WHEELS"}
    done = subprocess.run(
        [*words, "--out", str(tmp_path), "--store", str(tmp_path / "stores")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "gpu_train.json").read_text())["rows"]
    ran = [row["part"] for row in rows if row["what"] == "training"]
    left = [row["part"] for row in rows if row["what"] == "left out"]
    assert set(ran) | set(left) == {"dncnn", "tnrd", "admm_net", "ista_net", "learned_primal_dual", "unet", "vnet"}
    assert set(left) <= {"vnet"}
    assert [row["what"] for row in rows if row["part"] == "dncnn"] == [
        "training",
        "denoising:mini",
        "denoising:mini-laplace",
    ]
    runs = set()
    for packed in tmp_path.glob("runs-*.tar.gz"):
        with tarfile.open(packed) as archive:
            runs |= {name.partition("/")[0] for name in archive.getnames()}
    assert len(runs) == len(ran) + 1
