"""A training that was killed goes on from its last checkpoint to the same weights, and believes no damaged one."""

import pytest
import torch
import toy
from toy_trainings import Adversarial, Average, Drawing, killed_after, training_of, weights_of

from bench.contract.task import Budget
from bench.evaluation import partial
from bench.evaluation.train import Computing


@pytest.mark.parametrize("step", [1, 5, 6])
@pytest.mark.parametrize("method", [Drawing, Adversarial, Average])
def test_an_interrupted_training_goes_on_to_the_same_weights_bit_for_bit(method, step, tmp_path, monkeypatch):
    monkeypatch.setattr(partial, "EVERY", -1.0)  # after every step
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    weights, record, curves = training_of(method, track=track)
    killed_after(step, method, tmp_path / "0a1b", track=track)
    killed_after(8, method, tmp_path / "0a1b", track=track)
    again, resumed, curves_again = training_of(method, track=track, partial=tmp_path / "0a1b")
    assert resumed.pop("resumed_at") == [step, 8]
    assert curves_again == curves
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert {**resumed, "seconds": 0} == {**record, "seconds": 0}
    assert resumed["seconds"] > 0


def test_a_training_is_written_down_at_every_look_and_when_time_has_passed(network, tmp_path, monkeypatch):
    killed_after(5, network, tmp_path / "0a1b")
    assert partial.Keeper(tmp_path / "0a1b", "", None, None).step() == 4  # the last look
    monkeypatch.setattr(partial, "EVERY", -1.0)
    killed_after(5, network, tmp_path / "1b2c")
    assert partial.Keeper(tmp_path / "1b2c", "", None, None).step() == 5
    assert sorted(path.name for path in (tmp_path / "0a1b").iterdir()) == ["last.ckpt", "validation"]


def test_a_training_that_had_ended_is_not_repeated(network, tmp_path):
    weights, _, _ = training_of(network, partial=tmp_path / "0a1b")
    stages = []
    again, record, _ = training_of(network, partial=tmp_path / "0a1b", report=stages.append)
    assert not stages
    assert record["resumed_at"] == [10]
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def damage(file, found):
    content = bytearray(file.read_bytes())
    if found == "altered":
        content[len(content) // 2] ^= 1
    file.write_bytes(content[: {"cut": 500, "empty": 0}.get(found, len(content))])


@pytest.mark.parametrize("found", ["altered", "cut", "empty", "foreign"])
def test_a_damaged_or_foreign_checkpoint_is_not_believed(network, tmp_path, found):
    weights, _, _ = training_of(network)
    folder = tmp_path / "0a1b"
    killed_after(5, network, folder, owner="0a1b by the uncommitted code 77" if found == "foreign" else "0a1b")
    damage(folder / "last.ckpt", found)
    reason = "it is of 0a1b by the uncommitted code 77" if found == "foreign" else "it is damaged"
    with pytest.warns(UserWarning, match=rf"of 0a1b is not used: {reason}\. The training starts anew"):
        again, record, _ = training_of(network, partial=folder, owner="0a1b")
    assert "resumed_at" not in record
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_an_interrupted_training_in_parts_goes_on_to_the_same_weights_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(partial, "EVERY", -1.0)
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    options = {"track": track, "computing": Computing(accumulate=2)}
    weights, curves = weights_of(Drawing, **options)
    killed_after(3, Drawing, tmp_path / "0a1b", **options)
    again, record, curves_again = training_of(Drawing, partial=tmp_path / "0a1b", **options)
    assert record["resumed_at"] == [3]
    assert record["accumulate"] == 2
    assert curves_again == curves
    assert torch.equal(torch.cat([value.flatten() for value in again.values()]), weights)
