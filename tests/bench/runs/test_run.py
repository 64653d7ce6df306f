"""One run: its directory holds the outcome and all that stands behind it, and the same run gives the same bits."""

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image

from bench.errors import BenchError
from bench.runs import run as running
from bench.runs.records import Result
from bench.runs.run import run
from bench.runs.run_directory import Outcome
from bench.runs.spec import Request

pytestmark = pytest.mark.usefixtures("toys", "store", "sandbox")


@pytest.fixture
def sandbox(monkeypatch):
    """A run seeds its process and asks it for determinism; the test process goes on as before."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "1")
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def shrink(tmp_path):
    return toy.method_file(tmp_path, "shrink", toy.SHRINK)


@pytest.fixture
def network(tmp_path):
    return toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")


def outcome(folder: Path) -> Result:
    return Result.read(folder / "result.json")


def read(folder: Path, name: str):
    return json.loads((folder / name).read_text())


def do(method: str, track: str = "toy:mini", **options) -> tuple[Path, Result]:
    folder = run(Request(track, method, **options))
    return folder, outcome(folder)


def test_a_run_directory_is_named_by_its_key_and_holds_everything(network, store):
    folder, result = do(network)
    assert folder == store / "runs" / result.key
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.ckpt", "config.json", "curves.csv", "data.json", "environment.json", "per_image.csv", "pictures",
        "result.json", "system.csv", "trials.json",
    ]  # fmt: skip
    assert [path.name for path in (store / "runs").iterdir()] == [result.key]
    assert (result.status, result.reason, result.method, result.family) == ("ok", "", "net", "external")
    assert (result.protocol, result.label, result.seed, result.limit) == (True, "", 0, None)
    assert result.training["steps"] == 10
    assert result.parameters == sum(p.numel() for p in toy_network(folder).values())
    assert result.seconds_per_image > 0
    assert result.peak_memory_bytes >= 0
    assert len(result.data_hash) == 16
    assert result.environment["torch"] == torch.__version__.partition("+")[0]


def toy_network(folder):
    return torch.load(folder / "checkpoint.ckpt", weights_only=True)["state_dict"]


def test_per_image_scores_are_kept_in_the_result_and_as_a_table(shrink):
    folder, result = do(shrink)
    assert list(result.per_image) == [f"test-{i}" for i in range(5)]
    with (folder / "per_image.csv").open() as file:
        rows = {row.pop("id"): row for row in csv.DictReader(file)}
    assert {name: {metric: float(v) for metric, v in row.items()} for name, row in rows.items()} == result.per_image


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
    assert read(folder, "config.json")["sources"].keys() == {"net.py"}


def test_the_objective_of_a_method_that_minimises_is_a_curve(tmp_path):
    folder, _ = do(toy.method_file(tmp_path, "descent", toy.DESCENT))
    with (folder / "curves.csv").open() as file:
        rows = [(int(row["step"]), float(row["value"])) for row in csv.DictReader(file) if row["name"] == "objective"]
    assert rows == [(1, 2.0), (2, 1.0)]


def test_what_a_method_has_learned_is_a_picture_and_kept(tmp_path):
    folder, _ = do(toy.method_file(tmp_path, "atoms", toy.ATOMS))
    assert (folder / "pictures" / "learned-dictionary.png").exists()
    with np.load(folder / "atoms.npz") as kept:
        assert np.array_equal(kept["dictionary"], np.arange(12.0).reshape(3, 2, 2))


def test_learned_weights_are_pictures_too(tmp_path):
    weights = toy.ATOMS.replace("torch.arange(12.0)", "torch.nn.Parameter(torch.arange(12.0))")
    folder, _ = do(toy.method_file(tmp_path, "weights", weights))
    assert (folder / "pictures" / "learned-dictionary.png").exists()


@pytest.mark.parametrize("name", ["level 1/2", "file", ""])
def test_atoms_whose_name_is_no_file_s_cost_no_scores(tmp_path, name):
    stages = []
    path = toy.method_file(tmp_path, "named", toy.ATOMS.replace("dictionary", name))
    folder = run(Request("toy:mini", path), stages.append)
    assert Result.read(folder / "result.json").status == "ok"
    assert stages[-1].startswith(f"no look inside the method: the atoms {name!r} need a name of ")


@pytest.mark.parametrize("shape", ["3, 4", "0, 2, 2"])
def test_atoms_that_are_no_pictures_cost_no_scores(tmp_path, shape):
    tiles = toy.ATOMS.replace("torch.arange(12.0).reshape(3, 2, 2)", f"torch.ones({shape})")
    stages = []
    folder = run(Request("toy:mini", toy.method_file(tmp_path, "flat", tiles)), stages.append)
    assert Result.read(folder / "result.json").status == "ok"
    assert not (folder / "atoms.npz").exists()
    shown = f"the atoms 'dictionary' have the shape ({shape}), expected (N, h, w)."
    assert stages[-1] == f"no look inside the method: {shown}"


@pytest.mark.parametrize("name", ["tv", "network"])
def test_the_same_run_twice_gives_the_same_scores_bit_for_bit(name, network):
    method = network if name == "network" else name
    first, second = do(method)[1], do(method)[1]
    assert first.per_image == second.per_image
    assert (first.key, first.hyperparameters, first.data_hash) == (second.key, second.hyperparameters, second.data_hash)
    assert first.training.get("val_psnr") == second.training.get("val_psnr")


def test_another_seed_is_another_run_of_the_same_group(network):
    first, second = do(network, seed=0)[1], do(network, seed=1)[1]
    assert first.key != second.key
    assert first.group == second.group
    assert first.per_image != second.per_image
    assert first.data_hash == second.data_hash


def test_tuning_spends_the_budget_defaults_first_and_uses_the_best(shrink):
    folder, result = do(shrink)
    trials = read(folder, "trials.json")
    assert len(trials) == result.tuning["trials"] == 3
    assert result.tuning["images"] == 2
    assert trials[0]["hyperparameters"] == {"factor": 0.9}
    best = max(trials, key=lambda trial: trial["score"])
    assert result.hyperparameters == best["hyperparameters"]
    assert result.requested == {}
    chosen = [[trial["hyperparameters"] for trial in read(do(shrink, seed=seed)[0], "trials.json")] for seed in (0, 1)]
    assert chosen[0] == [trial["hyperparameters"] for trial in trials]
    assert chosen[0] != chosen[1]


def test_a_method_that_learns_is_not_tuned(tmp_path):
    body = "    search_space = {'width': Choice((2, 4))}\n" + toy.TINY_NETWORK
    result = do(toy.method_file(tmp_path, "greedy", body, "LearnedMethod"))[1]
    assert result.status == "failed"
    assert "one declared recipe" in result.reason


def test_what_is_asked_for_is_not_tuned_and_needs_a_label(shrink):
    folder, result = do(shrink, hyperparameters={"factor": 0.5})
    assert read(folder, "trials.json") == []
    assert (result.protocol, result.label) == (False, "factor=0.5")
    assert result.hyperparameters == result.requested == {"factor": 0.5}


def test_failed_trials_are_recorded_and_the_others_count(tmp_path):
    body = toy.SHRINK.replace("return", "assert self.factor < 0.9, 'too large'\n        return")
    folder, result = do(toy.method_file(tmp_path, "picky", body))
    trials = read(folder, "trials.json")
    first = trials[0]
    assert (first["state"], first["reason"], first["score"]) == ("failed", "AssertionError: too large", None)
    assert result.status == "ok"
    assert len(trials) == 3


def test_when_all_trials_fail_so_does_the_run_and_they_are_kept(tmp_path):
    body = toy.SHRINK.replace("return self.factor * y", "return y * float('nan')")
    folder, result = do(toy.method_file(tmp_path, "hopeless", body))
    assert result.status == "failed"
    assert result.reason.startswith("all 3 tuning trials failed; the first: ")
    assert "on image val-0 the method returned NaN" in result.reason
    assert [trial["state"] for trial in read(folder, "trials.json")] == ["failed"] * 3


def test_a_subset_is_labelled_and_limited(shrink):
    result = do(shrink, limit=2, hyperparameters={"factor": 0.5})[1]
    assert list(result.per_image) == ["test-0", "test-1"]
    assert (result.limit, result.label) == (2, "factor=0.5,limit=2")


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
    monkeypatch.setenv("LOCAL_RANK", "1")
    running.share_failure(tmp_path, Outcome("failed", "on image b: NaN", traceback="..."), BenchError("NaN"))
    monkeypatch.setenv("LOCAL_RANK", "0")
    running.share_failure(tmp_path, lost, RuntimeError())
    assert (lost.reason, lost.traceback) == ("on image b: NaN", "...")
    assert list(tmp_path.iterdir()) == []
    running.share_failure(tmp_path, lost, RuntimeError())
    assert lost.reason == "on image b: NaN"


@pytest.mark.parametrize("where", ["pictures.save", "make_result"])
def test_a_full_disk_is_one_line_and_nothing_half_written(shrink, store, monkeypatch, where):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"bench.runs.run_directory.{where}", full)
    with pytest.raises(BenchError, match="No space left on device"):
        do(shrink)
    assert list((store / "runs").iterdir()) == []


def test_a_run_records_neither_the_host_nor_absolute_folders_of_the_project(network):
    folder = do(network)[0]
    text = "".join(path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".csv"))
    assert os.uname().nodename not in text
    assert str(Path(running.__file__).parent) not in text
