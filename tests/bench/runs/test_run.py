"""One run: its directory holds the outcome and all that stands behind it, and the same run gives the same bits."""

import csv
import errno
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image

from bench.contract import registry
from bench.contract.task import Budget
from bench.data.measurements import Measured
from bench.errors import BenchError
from bench.runs import run as running
from bench.runs.outcomes import Outcome
from bench.runs.records import Result

pytestmark = pytest.mark.usefixtures("toys", "store", "sandbox")


SURE = """
    returns = ("image", "std")

    def forward(self, y, physics):
        return Estimate(y, std=torch.full_like(y, 0.1))
"""


@pytest.fixture
def sandbox(monkeypatch):
    """A run seeds its process and asks it for determinism; the test process goes on as before."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "1")
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def network(tmp_path):
    return toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")


def outcome(folder: Path) -> Result:
    return Result.read(folder / "result.json")


def read(folder: Path, name: str):
    return json.loads((folder / name).read_text())


def do(method: str, track: str = "toy:mini", **options) -> tuple[Path, Result]:
    folder = toy.perform_here(toy.spec(method, track, **options))
    return folder, outcome(folder)


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
    folder = toy.perform_here(toy.spec(path), stages.append)
    assert Result.read(folder / "result.json").status == "ok"
    assert stages[-1].startswith(f"no look inside the method: the atoms {name!r} need a name of ")


@pytest.mark.parametrize("shape", ["3, 4", "0, 2, 2"])
def test_atoms_that_are_no_pictures_cost_no_scores(tmp_path, shape):
    tiles = toy.ATOMS.replace("torch.arange(12.0).reshape(3, 2, 2)", f"torch.ones({shape})")
    stages = []
    folder = toy.perform_here(toy.spec(toy.method_file(tmp_path, "flat", tiles)), stages.append)
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


def test_defaults_are_run_as_they_are_on_request(shrink):
    folder, result = do(shrink, control="defaults")
    assert read(folder, "trials.json") == []
    assert result.hyperparameters == {"factor": 0.9}
    assert (result.protocol, result.label, result.control) == (False, "defaults", "defaults")
    assert result.per_image == do(shrink, hyperparameters={"factor": 0.9})[1].per_image


def test_an_oracle_is_tuned_on_the_test_split(tmp_path):
    """A method that knows the images of the test split by their mean."""
    body = toy.SHRINK.replace("return self.factor * y", "SEEN.add(round(float(y.mean()), 6))\n        return y")
    path = Path(toy.method_file(tmp_path, "spy", body))
    path.write_text(path.read_text().replace("class Toy", "SEEN = set()\n\n\nclass Toy"))
    data = {
        split: {round(float(sample.y.mean()), 6) for sample in Measured(toy.MINI, toy.open_track(toy.MINI), split)}
        for split in ("val", "test")
    }
    seen = {}
    for control in ("", "oracle"):
        result = do(str(path), control=control)[1]
        assert result.status == "ok"
        seen[control] = sys.modules["reconbench_external_spy"].SEEN
        assert (result.protocol, result.label, result.control) == (not control, control, control)
        assert result.tuning["trials"] == 3
    assert seen["oracle"] == data["test"]
    assert seen[""] & data["val"]


def test_an_oracle_scores_no_worse_than_what_validation_chose(shrink):
    tuned, oracle = (do(shrink, control=control)[1].mean("psnr") for control in ("", "oracle"))
    assert oracle >= tuned


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


def test_a_method_edited_after_the_spec_was_frozen_is_not_run(shrink):
    spec = toy.spec(shrink)
    path = Path(shrink)
    path.write_text(path.read_text().replace("self.factor * y", "0.5 * self.factor * y"))
    result = outcome(toy.perform_here(spec))
    assert (result.status, result.per_image) == ("failed", {})
    assert result.reason == "shrink.py was edited after the command had started. Type the command again."


def test_a_comment_added_after_the_spec_was_frozen_is_no_edit(shrink):
    spec = toy.spec(shrink)
    path = Path(shrink)
    path.write_text(path.read_text() + "# a word\n")
    assert outcome(toy.perform_here(spec)).status == "ok"


def test_a_track_edited_after_the_spec_was_frozen_is_not_run(shrink, monkeypatch):
    spec = toy.spec(shrink)
    changed = toy.track("mini", options={"sigma": 0.2})
    monkeypatch.setattr(registry, "track", lambda name: changed)
    result = outcome(toy.perform_here(spec))
    assert result.status == "failed"
    assert result.reason == "the track toy:mini was edited after the command had started. Type the command again."


def test_a_run_has_a_time_for_its_trials_and_slow_ones_are_failed_trials(tmp_path, monkeypatch):
    """Of a budget of two seconds a trial may take half a second. The defaults are slow, other values are not."""
    track = toy.track("mini", budget=Budget(trials=4, images=2, seconds=2.0))
    monkeypatch.setattr(registry, "track", lambda name: track)
    body = toy.SHRINK.replace("return", "time.sleep(0.6 * (self.factor == 0.9))\n        return")
    folder, result = do(toy.method_file(tmp_path, "slow", body))
    trials = read(folder, "trials.json")
    assert [trial["state"] for trial in trials] == ["failed", "ok", "ok", "ok"]
    assert trials[0]["reason"] == "OverTime: the trial went over its time"
    assert result.status == "ok"


def test_tuning_that_goes_over_the_time_of_the_run_is_a_failed_run(tmp_path, monkeypatch):
    track = toy.track("mini", budget=Budget(trials=9, images=2, seconds=0.5))
    monkeypatch.setattr(registry, "track", lambda name: track)
    body = toy.SHRINK.replace("return", "time.sleep(0.2)\n        return")
    start = time.monotonic()
    result = do(toy.method_file(tmp_path, "slow", body))[1]
    assert (result.status, result.per_image) == ("failed", {})
    assert "went over its time" in result.reason
    assert time.monotonic() - start < 5


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


@pytest.mark.parametrize("number", ["np.float64(0.5)", "torch.tensor(0.5)", "np.int64(1)"])
def test_hyperparameters_may_be_numbers_of_numpy_or_torch(tmp_path, number):
    body = toy.SHRINK.replace('search_space = {"factor": Float(0.1, 1.0)}', "import numpy as np")
    _, result = do(toy.method_file(tmp_path, "scalar", body.replace("float = 0.9", f"float = {number}")))
    assert result.status == "ok"
    assert result.hyperparameters in ({"factor": 0.5}, {"factor": 1})


def test_an_image_that_requires_grad_is_as_good_as_another(tmp_path):
    """Also in the pictures, which need its numbers."""
    body = "with torch.enable_grad():\n    return y * torch.ones(1, requires_grad=True)"
    folder, result = do(toy.method_file(tmp_path, "graph", body))
    assert (result.status, result.reason) == ("ok", "")
    assert len(list((folder / "pictures").iterdir())) == 4


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
    running.share_failure(tmp_path, lost, RuntimeError())
    assert lost.reason == "RuntimeError: Connection closed by peer"
    monkeypatch.setenv("LOCAL_RANK", "1")
    running.share_failure(tmp_path, Outcome("failed", "on image b: NaN", traceback="..."), BenchError("NaN"))
    monkeypatch.setenv("LOCAL_RANK", "0")
    running.share_failure(tmp_path, lost, RuntimeError())
    assert (lost.reason, lost.traceback) == ("on image b: NaN", "...")


@pytest.mark.parametrize("where", ["bench.evaluation.pictures.save", "bench.runs.run_directory.make_result"])
def test_a_full_disk_is_one_line_and_nothing_half_written(shrink, store, monkeypatch, where):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(where, full)
    with pytest.raises(BenchError, match="No space left on device"):
        do(shrink)
    assert list((store / "runs").iterdir()) == []


def test_a_run_records_neither_the_host_nor_absolute_folders_of_the_project(network):
    folder = do(network)[0]
    text = "".join(path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".csv"))
    assert os.uname().nodename not in text
    assert str(Path(running.__file__).parent) not in text
