"""What a run has learned is used again by its key, without a training, and is a run of its own."""

import os
import time
from dataclasses import replace

import pytest
import torch
import toy
from fabricate import result, run_directory

from bench.cli import main
from bench.contract.registry import load_method, track
from bench.errors import BenchError
from bench.places import partial
from bench.runs import checkpoints
from bench.runs.checkpoints import restore
from bench.runs.records import Result
from bench.runs.store import hold

pytestmark = pytest.mark.usefixtures("toys", "store", "untracked", "signals")


def network(folder, name="net"):
    return toy.method_file(folder, name, toy.TINY_NETWORK, "LearnedMethod")


@pytest.fixture
def trained(tmp_path, store) -> tuple[str, Result]:
    path = network(tmp_path)
    assert main(["run", "toy", "-m", path, "--cpu"]) == 0
    (folder,) = (store / "runs").glob("*/result.json")
    return path, Result.read(folder)


def others(store, first):
    return [Result.read(p) for p in (store / "runs").glob("*/result.json") if p.parent.name != first.key]


def test_a_learned_object_is_used_on_another_track_and_kept_with_that_run(trained, store):
    path, first = trained
    assert main(["run", "toy:exact", "-m", path, "--checkpoint", first.key[:8], "--cpu"]) == 0
    (second,) = others(store, first)
    assert second.training == {**first.training, "learned_by": first.key, "learned_on": "toy:mini"}
    assert (second.protocol, second.label) == (False, f"checkpoint={first.key[:8]}")
    assert f"--checkpoint {first.key}" in second.command
    weights = [
        torch.load(store / "runs" / result.key / "checkpoint.ckpt", weights_only=True)["state_dict"]
        for result in (first, second)
    ]
    assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))


def test_on_its_own_track_it_scores_as_it_did(trained, store):
    path, first = trained
    assert main(["run", "toy", "-m", path, "--checkpoint", first.key, "--cpu"]) == 0
    (second,) = others(store, first)
    assert second.per_image == first.per_image


@pytest.mark.parametrize("method", ["ksvd_trained", "ddtf_trained"])
def test_so_is_what_was_learned_without_gradients(method, store):
    assert main(["run", "toy", "-m", method, "--cpu"]) == 0
    (folder,) = (store / "runs").glob("*/result.json")
    first = Result.read(folder)
    assert main(["run", "toy", "-m", method, "--checkpoint", first.key, "--cpu"]) == 0
    (second,) = others(store, first)
    assert second.per_image == first.per_image
    kept = [
        torch.load(store / "runs" / result.key / "checkpoint.ckpt", weights_only=True)["state_dict"]
        for result in (first, second)
    ]
    start = load_method(method)(dims=2).state_dict()
    for name, learned in kept[0].items():
        assert torch.equal(learned, kept[1][name])
        assert not torch.equal(learned, start[name])


def test_a_dictionary_of_patches_is_not_one_of_blocks_of_the_same_size(store):
    assert main(["run", "toy", "-m", "ksvd_trained", "--cpu"]) == 0
    (path,) = (store / "runs").glob("*/result.json")
    key, volumes = path.parent.name, replace(track("toy:mini"), name="volumes", dims=3)
    learner = load_method("ksvd_trained")(dims=3)
    assert learner.D.shape == load_method("ksvd_trained")(dims=2).D.shape
    with pytest.raises(BenchError, match=f"the run {key} learned on toy:mini, where dims=2; toy:volumes has 3"):
        restore(learner, volumes, key)


def test_a_key_that_fits_nothing_is_one_line(trained, tmp_path, store, capsys):
    path, first = trained
    shrink = toy.method_file(tmp_path, "shrink", toy.SHRINK)
    assert main(["run", "toy", "-m", shrink, "--cpu"]) == 0
    (plain,) = others(store, first)
    for method, key, hint in [
        (path, "", "'' is the key of no finished run in "),
        (path, "zz", "'zz' is the key of no finished run in "),
        (path, "*", "'*' is the key of no finished run in "),
        (path, str(store / "runs" / first.key), "is the key of no finished run in "),
        (network(tmp_path, "rest"), first.key, f"the run {first.key} is of net, which rest cannot go on from."),
        (shrink, plain.key, f"the run {plain.key} of shrink keeps nothing learned: it has no checkpoint.ckpt."),
    ]:
        capsys.readouterr()
        assert main(["run", "toy", "-m", method, "--checkpoint", key, "--cpu"]) == 2
        assert hint in capsys.readouterr().err


def test_what_does_not_fit_fails_in_one_line_with_the_remedy(trained, store, capsys):
    path, first = trained
    assert main(["run", "toy", "-m", f"{path}:width=7", "--checkpoint", first.key, "--cpu"]) == 1
    (second,) = others(store, first)
    assert second.status == "failed"
    assert f"what the run {first.key} learned on toy:mini does not fit: " in second.reason
    assert "ask for the same, on a track of such images." in second.reason


def test_a_flipped_bit_in_a_checkpoint_is_one_line_and_no_run(trained, store, capsys):
    path, first = trained
    checkpoint = store / "runs" / first.key / "checkpoint.ckpt"
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 4
    checkpoint.write_bytes(content)
    assert main(["run", "toy", "-m", path, "--checkpoint", first.key, "--cpu"]) == 2
    assert "checkpoint.ckpt was changed since the run wrote it (its SHA-256 differs)." in capsys.readouterr().err
    with pytest.raises(BenchError, match="was changed since the run wrote it"):
        restore(load_method(path)(), track("toy:mini"), first.key)  # and where it changes after the command has started
    assert not others(store, first)


def interrupted(key, days):
    """A training that was written down some days ago."""
    folder = partial(key)
    folder.mkdir(parents=True)
    (folder / "last.ckpt").write_bytes(b"weights")
    for path in (folder / "last.ckpt", folder):
        os.utime(path, (time.time() - days * 86400, time.time() - days * 86400))
    return folder


def test_trainings_that_nobody_goes_on_with_are_removed(store):
    run = result("unet", 0)
    run_directory(store / "runs", run)
    over, again = interrupted(run.key, 1), interrupted(run.key[::-1], 1)
    forgotten, claimed = interrupted("0123abcd", 31), interrupted("4567abcd", 31)
    recent = interrupted("89abcdef", 29)
    (store / "claims").mkdir()
    with hold(store / "claims" / claimed.name):
        checkpoints.clear_interrupted()
    assert [path.exists() for path in (over, again, forgotten, claimed, recent)] == [False, True, False, True, True]


def test_a_training_that_was_interrupted_while_its_run_was_done_again_is_kept(store):
    run = result("unet", 0)
    path = run_directory(store / "runs", run) / "result.json"
    os.utime(path, (time.time() - 1e5, time.time() - 1e5))
    folder = interrupted(run.key, 1)
    checkpoints.clear_interrupted()
    assert folder.exists()


def test_a_command_removes_them(store, go, shrink):
    folder = interrupted("0123abcd", 31)
    assert go(shrink, limit=1) == 0
    assert not folder.exists()
