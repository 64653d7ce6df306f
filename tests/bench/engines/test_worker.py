"""Two processes give what one gives: equal scores for fixed weights, one run directory, one line where it breaks."""

import socket
from pathlib import Path

import pytest
import toy

from bench.cli import main
from bench.engines.local import LocalEngine, Task
from bench.runs.records import Result

pytestmark = pytest.mark.usefixtures("toys", "store", "untracked", "signals")

PATIENCE = 60.0  # seconds until a test gives up waiting
FIXED = toy.TINY_NETWORK.replace("super().__init__()", "super().__init__()\n        torch.manual_seed(5)")


def together(method: str, folder: Path, processes: int, **wish) -> Result:
    """A run in several processes, each told its part as `bench.engines.worker` is."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    surroundings = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(processes), "NODE_RANK": "0"}
    spec = toy.spec(method, devices=processes, **wish).to_json()
    code = (
        "import os\nfrom pathlib import Path\nfrom bench.runs.run import perform\nfrom bench.runs.spec import Spec\n"
        f"os.environ.update({surroundings!r}, LOCAL_RANK=%r)\nperform(Spec.from_json({spec!r}), Path({str(folder)!r}))"
    )
    tasks = [Task(str(rank), toy.chore, (code % str(rank),), PATIENCE) for rank in range(processes)]
    assert len(list(LocalEngine(processes).work(tasks))) == processes
    return Result.read(folder / "result.json")


def test_fixed_weights_have_the_same_scores_bit_for_bit(tmp_path):
    fixed = toy.method_file(tmp_path, "fixed", FIXED)
    one, two, three = (together(fixed, tmp_path / f"{n}", n) for n in (1, 2, 3))
    assert [one.status, two.status, three.status] == ["ok"] * 3
    assert list(two.per_image) == [f"test-{i}" for i in range(5)]
    assert one.per_image == two.per_image == three.per_image
    assert one.data_hash == two.data_hash == three.data_hash
    assert not (tmp_path / "2" / "failure.json").exists()


def test_random_numbers_belong_to_an_image_whichever_process_draws_them(tmp_path):
    sampler = toy.method_file(tmp_path, "sampler", "return y + 0.05 * torch.randn(y.shape)")
    one, two = (together(sampler, tmp_path / f"{n}", n) for n in (1, 2))
    assert one.per_image == two.per_image


def test_more_processes_than_images_are_refused_in_a_line(tmp_path, shrink):
    result = together(shrink, tmp_path / "x", 2, limit=1)
    assert result.reason == "2 devices cannot share 1 test images. Ask for fewer by --devices."


def test_the_second_process_waits_for_the_values_that_the_first_has_tuned(tmp_path, shrink):
    one, two = (together(shrink, tmp_path / f"{n}", n) for n in (1, 2))
    assert one.hyperparameters == two.hyperparameters
    assert one.per_image == two.per_image


def test_a_parameter_that_the_loss_does_not_use_stops_no_training(tmp_path):
    body = toy.TINY_NETWORK.replace("self.network =", "self.never = conv(1, 1, 3)\n        self.network =")
    result = together(toy.method_file(tmp_path, "unused", body, "LearnedMethod"), tmp_path / "x", 2)
    assert (result.status, result.reason) == ("ok", "")


def test_what_breaks_in_the_second_process_is_told_by_the_first(tmp_path):
    result = together(
        toy.method_file(tmp_path, "odd", "return y / (os.environ['LOCAL_RANK'] != '1')"), tmp_path / "x", 2
    )
    assert (result.status, result.reason) == (
        "failed",
        "on image test-1 the method returned NaN or infinite values.",
    )
    assert "evaluate.py" in (tmp_path / "x" / "traceback.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("track", "asked"), [("toy:mini", []), ("toy:exact", ["--accumulate", "2"])])
def test_training_on_two_devices_is_one_run_with_the_same_batches(track, asked, tmp_path, store, monkeypatch):
    """As the command does it, through fresh interpreters."""
    (tmp_path / "tasks").mkdir()  # a folder of the user's, which must not stand for the package of that name
    monkeypatch.chdir(tmp_path)
    network = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    for devices in (1, 2):
        assert main(["run", track, "-m", network, "--devices", str(devices), "--cpu", *asked]) == 0
    results = [Result.read(path) for path in (store / "runs").glob("*/result.json")]
    one, two = sorted(results, key=lambda result: result.devices)
    assert (one.devices, two.devices) == (1, 2)
    assert one.training["steps"] == two.training["steps"] == 10
    assert one.data_hash == two.data_hash
    # The batch of a step is the same; the order of summing it is not.
    assert two.training["val_psnr"] == pytest.approx(one.training["val_psnr"], abs=1e-4)
    assert two.mean("psnr") == pytest.approx(one.mean("psnr"), abs=1e-4)
    assert sorted(path.name for path in (store / "runs" / two.key).iterdir()) == [
        "checkpoint.ckpt", "config.json", "curves.csv", "data.json", "log.txt", "per_image.csv", "pictures",
        "reconstructions.npz", "result.json", "source", "system.csv", "trials.json", "validation", "warnings.txt",
    ]  # fmt: skip
    assert not list((store / "runs").glob(".tmp-*"))
