"""The shell about a command decides nothing: its variables and paths, an output that is full, or a reader that left."""

import json
import os
import subprocess
import sys

import pytest

from bench.runs import provenance

PREPARING = "bench: preparing 1 method on 1 track\n"


def test_a_reader_that_left_is_no_error():
    words = [sys.executable, "-c", "from bench.cli import main; raise SystemExit(main(['list']))"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def bench_in_a_shell(command, **environment):
    words = f"{sys.executable} -m bench.cli {command}"
    return subprocess.run(
        ["bash", "-c", words], capture_output=True, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_output_is_a_line_and_runs_go_on(ready, shrink):
    done = bench_in_a_shell("list >/dev/full")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    done = bench_in_a_shell(f"run toy -m {shrink} --cpu --limit 1 >/dev/full")
    full = "bench: the output cannot be written: No space left on device. The runs go on.\n"
    assert done.stderr == PREPARING + full
    assert done.returncode == 1
    assert len(list((ready / "runs").glob("[0-9a-f]*"))) == 1


def test_runs_go_on_when_their_reader_has_left(ready, shrink):
    done = bench_in_a_shell(f"run toy -m {shrink} --cpu --limit 1 --seed 0 1 2 --jobs 1 | head -1")
    assert (done.stderr, len(done.stdout.splitlines())) == (PREPARING, 1)
    assert len(list((ready / "runs").glob("[0-9a-f]*"))) == 3


def test_letters_that_an_output_lacks_are_written_otherwise():
    done = bench_in_a_shell("list methods", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03bb" in done.stdout


HOSTILE = {  # what a shell may hold, none of which decides anything
    "SLURM_NTASKS": "4",
    "SLURM_JOB_ID": "1",
    "LOCAL_RANK": "1",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "nowhere",
    "OMP_NUM_THREADS": "7",
}


def test_the_surroundings_decide_nothing_and_the_command_itself_imports_nothing_heavy(ready, tmp_path, shrink):
    """A shell on a cluster, inside of another repository, with packages of our names first on every path."""
    here = tmp_path / "here"
    for name in ("tasks", "baselines"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise RuntimeError('another package')\n")
    subprocess.run(["git", "init"], cwd=here, check=True, capture_output=True)
    surroundings = HOSTILE | {"GIT_DIR": str(here / ".git"), "GIT_WORK_TREE": str(here)}
    path = os.pathsep.join([str(here), os.environ["PYTHONPATH"]])
    code = (
        "import sys\nfrom bench.cli import main\n"
        f"status = main(['run', 'toy', 'denoising', '-m', {shrink!r}, '-m', 'direct', '--limit', '1', '--cpu'])\n"
        "print('LOADED', *sys.modules)\nsys.exit(status)"
    )
    environment = dict(os.environ) | surroundings | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    shown, _, loaded = done.stdout.partition("LOADED")
    assert not {"torch", "deepinv", "pytorch_lightning", "mlflow", "optuna"} & set(loaded.split())
    assert shown.count("psnr") == 4
    found = [json.loads(path.read_text()) for path in (ready / "runs").glob("*/result.json")]
    assert {result["status"] for result in found} == {"ok"}
    head, _ = provenance.commit()
    assert {(result["commit"], result["threads"]) for result in found} == {(head, 1)}
