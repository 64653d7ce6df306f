"""The directory of a run holds its scores and all that stands behind them: arrays, pictures, curves and sources."""

import csv
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image
from toy_runs import do, read

from bench.runs import run as running

pytestmark = pytest.mark.usefixtures("toys", "store", "sandbox")

SURE = """
    returns = ("image", "std")

    def forward(self, y, physics):
        return Estimate(y, std=torch.full_like(y, 0.1))
"""


def test_a_run_keeps_the_scores_of_its_standard_deviations_and_shows_them(tmp_path):
    folder, result = do(toy.method_file(tmp_path, "sure", SURE))
    assert result.confidence.level == 90
    assert result.confidence.images == 3
    assert set(result.confidence.per_image) == set(result.per_image)
    assert all(80 < one["calibrated_coverage"] < 98 for one in result.confidence.per_image.values())
    with (
        Image.open(folder / "pictures" / "test-0.png") as six,
        Image.open(do(toy.method_file(tmp_path, "bare", "return y"))[0] / "pictures" / "test-0.png") as four,
    ):
        assert six.width > 1.4 * four.width


def test_a_run_directory_is_named_by_its_key_and_holds_everything(network, store):
    folder, result = do(network)
    assert folder == store / "runs" / result.key
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.ckpt", "config.json", "curves.csv", "data.json", "per_image.csv", "pictures",
        "reconstructions.npz", "result.json", "source", "system.csv", "trials.json", "validation", "warnings.txt",
    ]  # fmt: skip
    assert [path.name for path in (store / "runs").iterdir()] == [result.key]
    assert (result.status, result.reason, result.method, result.family) == ("ok", "", "net", "external")
    assert (result.protocol, result.label, result.seed, result.limit) == (True, "", 0, None)
    assert result.training["steps"] == 10
    assert result.parameters == sum(p.numel() for p in toy_network(folder).values())
    assert result.seconds_per_image > 0
    assert len(result.data_hash) == 16
    assert result.environment["torch"] == torch.__version__.partition("+")[0]


def toy_network(folder):
    return torch.load(folder / "checkpoint.ckpt", weights_only=True)["state_dict"]


def test_per_image_scores_are_kept_in_the_result_and_as_a_table(shrink):
    folder, result = do(shrink)
    assert list(result.per_image) == [f"test-{i}" for i in range(5)]
    with (folder / "per_image.csv").open() as file:
        rows = {row.pop("id"): row for row in csv.DictReader(file)}
    assert {name: row.pop("group") for name, row in rows.items()} == result.groups
    assert {name: {metric: float(v) for metric, v in row.items()} for name, row in rows.items()} == result.per_image


def test_reconstructions_are_kept_as_arrays_of_which_the_scores_were_taken(network):
    folder, result = do(network)
    images = toy.open_track(toy.MINI).images["test"]
    with np.load(folder / "reconstructions.npz") as kept:
        assert sorted(kept) == [f"test-{i}" for i in range(4)]
        for name in kept:
            assert (kept[name].shape, kept[name].dtype) == ((1, toy.SIZE, toy.SIZE), np.float32)
            error = np.square(kept[name][0].astype(float) - images.load(name)).mean()
            assert result.per_image[name]["psnr"] == pytest.approx(-10 * np.log10(error))


def test_pictures_of_a_validation_image_are_kept(network):
    folder, _ = do(network)
    assert sorted(path.name for path in folder.glob("validation/val-0/*")) == sorted(
        f"{s}.png" for s in (2, 4, 6, 8, 10)
    )


def test_pictures_curves_and_documents_can_be_read(network):
    folder, _ = do(network)
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == [f"test-{i}.png" for i in range(4)]
    with Image.open(folder / "pictures" / "test-0.png") as picture:
        assert picture.width > 4 * 160
    with (folder / "curves.csv").open() as file:
        assert {row["name"] for row in csv.DictReader(file)} == {"train_loss", "val_psnr"}
    with (folder / "system.csv").open() as file:
        assert "system/memory_bytes" in {row["name"] for row in csv.DictReader(file)}
    assert read(folder, "data.json")["splits"] == {"train": 5, "val": 3, "test": 5}
    assert read(folder, "config.json")["method"]["sources"].keys() == {"net.py"}


def test_the_objective_of_a_method_that_minimises_is_a_curve(tmp_path):
    folder, _ = do(toy.method_file(tmp_path, "descent", toy.DESCENT))
    with (folder / "curves.csv").open() as file:
        rows = [(int(row["step"]), float(row["value"])) for row in csv.DictReader(file) if row["name"] == "objective"]
    assert rows == [(1, 2.0), (2, 1.0)]


def test_a_run_keeps_the_source_of_a_method_from_outside_and_names_it_in_its_command(tmp_path):
    (tmp_path / "toy_part.py").write_text("GAIN = 1\n")
    path = toy.method_file(tmp_path, "mine", "import toy_part\nreturn toy_part.GAIN * y")
    folder, result = do(path)
    for name in ("mine.py", "toy_part.py"):
        assert (folder / "source" / name).read_text() == (tmp_path / name).read_text()
    assert f"-m {path} " in result.command
    assert result.dirty
    assert result.dirty_reason.endswith("mine.py is in no git repository")


def test_every_file_of_a_run_has_its_hash_in_the_result(network):
    folder, result = do(network)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del files["result.json"]
    assert result.files == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_a_run_records_neither_the_host_nor_absolute_folders_of_the_project(network):
    folder = do(network)[0]
    text = "".join(path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".csv"))
    assert os.uname().nodename not in text
    assert str(Path(running.__file__).parent) not in text
