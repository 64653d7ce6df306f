"""The command finds its packages in a folder of wheels, before it imports what needs them."""

import os
import subprocess
import sys
import zipfile

from tests.gpu_check.surroundings import ROOT


def wheel(folder, name, code):
    """A wheel of one module."""
    path = folder / f"{name}-1-py3-none-any.whl"
    info = f"{name}-1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def command(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tests.gpu_train", *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_wheels_are_installed_before_anything_that_needs_them_is_imported(tmp_path):
    wheel(tmp_path, "pydantic", "raise SystemExit('pydantic of the wheel')")
    done = command("--help", BENCH_WHEELS=str(tmp_path))
    assert "pydantic of the wheel" in done.stderr
    assert command("--help").returncode == 0


def test_a_folder_without_wheels_is_told(tmp_path):
    done = command(BENCH_WHEELS=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"gpu-train: BENCH_WHEELS={tmp_path} holds no wheel\n"
