"""A run is what its spec says: the same spec gives the same bits, and code that was edited meanwhile is not run."""

from pathlib import Path

import pytest
import toy
from toy_runs import do, outcome

from bench.contract import registry

pytestmark = pytest.mark.usefixtures("toys", "store", "sandbox")


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


def test_a_subset_is_labelled_and_limited(shrink):
    result = do(shrink, limit=2, hyperparameters={"factor": 0.5})[1]
    assert list(result.per_image) == ["test-0", "test-1"]
    assert (result.limit, result.label) == (2, "factor=0.5,limit=2")


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


def test_an_image_that_requires_grad_is_as_good_as_another(tmp_path):
    """Also in the pictures, which need its numbers."""
    body = "with torch.enable_grad():\n    return y * torch.ones(1, requires_grad=True)"
    folder, result = do(toy.method_file(tmp_path, "graph", body))
    assert (result.status, result.reason) == ("ok", "")
    assert len(list((folder / "pictures").iterdir())) == 4
