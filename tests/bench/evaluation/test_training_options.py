"""Batches in parts, mixed precision and compilation change what a training costs, and hardly what it learns."""

from contextlib import nullcontext

import pytest
import torch
import toy
from toy_trainings import seeded, train, weights_of

from bench.contract.task import Budget
from bench.errors import BenchError
from bench.evaluation import train as training
from bench.evaluation.train import Computing
from bench.evaluation.trainer import compiled


def test_a_batch_in_parts_has_the_gradient_of_the_whole(network):
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    whole, curves = weights_of(network, track=track)
    parts, curves_of_parts = weights_of(network, track=track, computing=Computing(accumulate=2))
    assert torch.allclose(parts, whole, rtol=0, atol=1e-5)
    assert not torch.equal(parts, seeded_weights(network))
    steps = [(name, step) for name, step, _ in curves]
    assert [(name, step) for name, step, _ in curves_of_parts] == steps
    losses, of_parts = ([value for name, _, value in one if name == "train_loss"] for one in (curves, curves_of_parts))
    assert sum(of_parts) / sum(losses) == pytest.approx(1, abs=0.3)  # those are the last halves' own


def seeded_weights(method):
    return torch.cat([value.flatten() for value in seeded(method).state_dict().values()])


def test_mixed_precision_keeps_single_precision_weights_and_learns_nearly_the_same(network):
    track = toy.track("mini", budget=Budget(images=3, steps=60, batch=4))
    plain, curves = weights_of(network, track=track)
    mixed, mixed_curves = weights_of(network, track=track, computing=Computing(precision="bf16-mixed"))
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, plain)
    assert mixed_curves[-1][2] == pytest.approx(curves[-1][2], abs=0.3)  # dB


def test_a_compiled_training_learns_the_same_and_leaves_a_plain_method(network, monkeypatch):
    plain, _ = weights_of(network)
    compilations = []
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, backend: compilations.append(f) or original(f, backend="aot_eager"))
    method = seeded(network)
    record, _ = train(method, computing=Computing(compile=True))
    assert len(compilations) == 1
    assert "forward" not in vars(method)
    assert record["compile"] is True
    found = torch.cat([value.flatten() for value in method.state_dict().values()])
    assert torch.allclose(found, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("setting", "steps", "computing", "count"),
    [
        ("", training.LONG, {}, 0),
        ("", 1, {}, 1),
        ("off", 1, {}, 0),
        ("on", training.LONG, {}, 1),
        ("on", training.LONG, {"compile": True}, 0),
    ],
)
def test_networks_are_recorded_in_long_trainings_and_where_it_is_asked_for_and_nothing_is_compiled(
    network, monkeypatch, setting, steps, computing, count
):
    """A training is long from so many ``steps`` on."""
    entered = []
    monkeypatch.setenv("BENCH_RECORDED", setting)
    monkeypatch.setattr(training, "LONG", steps)
    monkeypatch.setattr(training, "recorded_networks", lambda method: nullcontext(entered.append(method)))
    monkeypatch.setattr(training, "compiled", nullcontext)
    train(seeded(network), computing=Computing(**computing))
    assert len(entered) == count


def test_without_a_compiler_the_remedy_is_told(network, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BenchError, match=r"--compile needs a C\+\+ compiler, and no-such-compiler is not found"):
        train(network(), computing=Computing(compile=True))


def test_a_compiler_that_breaks_is_one_line(network):
    def broken(graph, inputs):
        raise RuntimeError("no such header\nand much more")

    method = seeded(network)
    with pytest.raises(BenchError, match=r"^torch.compile failed, so leave out --compile: .*no such header$"):
        with compiled(method, backend=broken):
            train(method)
    assert "forward" not in vars(method)


@pytest.mark.parametrize(
    ("parts", "remedy"), [(1, "`--accumulate 2` takes it in parts"), (2, "use one of more memory")]
)
def test_a_batch_that_a_gpu_cannot_hold_ends_the_training_with_a_remedy(network, parts, remedy):
    def loss(self, x_hat, x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")

    network.loss = loss
    with pytest.raises(BenchError, match=rf"does not hold a batch of 2: {remedy}\. .*Tried to allocate 2 GiB\.\)$"):
        train(network(), computing=Computing(accumulate=parts))
