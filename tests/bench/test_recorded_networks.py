"""Recorded passes against plain ones, with the part of `torch.cuda` that makes graphs played by the processor."""

from __future__ import annotations

import copy
import random
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench import recorded_networks as recorded
from bench.errors import BenchError
from bench.recorded_networks import PLAIN, Passes, Recorded, recorded_networks

X = [torch.randn(2, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(6)]


class Card:
    """Plays the part of `torch.cuda`: nothing waits, and a graph does nothing when it is replayed."""

    def current_stream(self, device: torch.device) -> SimpleNamespace:
        return SimpleNamespace(wait_stream=lambda other: None)

    Stream = current_stream

    def stream(self, stream: SimpleNamespace) -> nullcontext:
        return nullcontext()

    def set_sync_debug_mode(self, mode: str) -> None:
        pass

    def get_rng_state(self, device: torch.device) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: torch.device) -> None:
        torch.set_rng_state(state)


class Played(Passes):
    """Passes whose replays compute: forward from ``x``, backward from what that left."""

    count = 0

    def __init__(self, network: nn.Module, forward: Any, like: Tensor) -> None:
        super().__init__(network, forward, like)
        wanted = [self.x, *self.parameters] if like.requires_grad else self.parameters
        first = 0 if like.requires_grad else 1
        left: dict[str, Tensor] = {}

        def forwards() -> None:
            Played.count += 1
            with torch.enable_grad():
                left["out"] = forward(self.x)
            self.out.data.copy_(left["out"].detach())

        def backwards() -> None:
            found = torch.autograd.grad(left.pop("out"), wanted, self.gradient, allow_unused=True)
            for place, one in enumerate(found, first):
                if one is not None:
                    self.gradients[place].copy_(one)

        self.forward: Any = SimpleNamespace(replay=forwards)
        self.backward: Any = SimpleNamespace(replay=backwards)


@pytest.fixture(autouse=True)
def _card(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(work: Any, pool: Any = None) -> Any:
        return SimpleNamespace(pool=lambda: (0, 1), replay=lambda: None), work()

    def recordable(self: Recorded, x: Any) -> bool:
        return isinstance(x, Tensor) and self.network.training and torch.is_grad_enabled()

    card = Card()
    for name in ("current_stream", "Stream", "stream", "set_sync_debug_mode", "get_rng_state", "set_rng_state"):
        monkeypatch.setattr(torch.cuda, name, getattr(card, name))
    monkeypatch.setattr(recorded, "record", record)
    monkeypatch.setattr(recorded, "Passes", Played)
    monkeypatch.setattr(Recorded, "recordable", recordable)
    Played.count = 0


class Method(nn.Module):
    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = network or nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))


def once(method: Method, x: Tensor) -> Tensor:
    return method.network(x).square().mean()


def twice(method: Method, x: Tensor) -> Tensor:
    """As an unrolled network with shared weights."""
    return method.network(x + method.network(2 * x)).square().mean()


def thrice(method: Method, x: Tensor) -> Tensor:
    """The recording is made in the second step, while a pass waits for its backward pass."""
    return method.network(x + method.network(x + method.network(2 * x))).square().mean()


def of_a_gradient(method: Method, x: Tensor) -> Tensor:
    return method.network(x.clone().requires_grad_() * 2).square().mean()


def trained(method: Method, loss: Any, parts: int = 1, to_none: bool = True) -> list[Tensor]:
    optimiser = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)
    for number, x in enumerate(X):
        loss(method, x).backward()
        if (number + 1) % parts == 0:
            torch.nn.utils.clip_grad_norm_(method.parameters(), 0.1)
            optimiser.step()
            optimiser.zero_grad(set_to_none=to_none)
    return [one.detach().clone() for one in method.state_dict().values()]


@pytest.mark.parametrize("loss", [once, twice, thrice, of_a_gradient])
@pytest.mark.parametrize(("parts", "to_none"), [(1, True), (1, False), (3, True)])
def test_weights_and_running_means_are_those_of_plain_passes(loss: Any, parts: int, to_none: bool) -> None:
    plain = trained(Method(), loss, parts, to_none)
    method = Method()
    with recorded_networks(method):
        found = trained(method, loss, parts, to_none)
    assert Played.count == len(X) - (1 if loss is thrice else PLAIN)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)
    assert "forward" not in vars(method.network)


def test_a_pass_that_no_backward_pass_follows_does_not_end_the_recording() -> None:
    method = Method()
    with recorded_networks(method):
        trained(method, once)
        before = Played.count
        once(method, X[0])
        once(method, X[0])
        assert Played.count == before + 2
        kept = once(method, X[0])
        once(method, X[1])
        assert Played.count == before + 3
        kept.backward()


def test_validation_and_another_shape_are_plain() -> None:
    method = Method()
    with recorded_networks(method):
        trained(method, once)
        before = Played.count
        with torch.no_grad():
            method.network(X[0])
        method.eval()
        method.network(X[0])
        method.train()
        method.network(X[0][:, :].repeat(2, 1))
        assert Played.count == before


def test_a_network_whose_parameters_are_others_or_learn_no_more_is_plain() -> None:
    method = Method()
    with recorded_networks(method):
        trained(method, once)
        before = Played.count
        method.network[0].weight.requires_grad_(False)
        once(method, X[0]).backward()
        assert method.network[0].weight.grad is None
        method.network[0].weight.requires_grad_()
        method.network[3].weight.data = method.network[3].weight.data.clone()
        once(method, X[0]).backward()
        assert Played.count == before


def test_a_copy_of_a_method_is_plain() -> None:
    method = Method()
    with recorded_networks(method):
        trained(method, once)
        before = Played.count
        twin = copy.deepcopy(method)
        assert torch.equal(twin.eval().network(X[0]), method.eval().network(X[0]))
        twin.train().network(X[0])
        assert Played.count == before
        assert twin.network.forward.__self__ is twin.network


def test_the_innermost_network_is_recorded() -> None:
    inner = Method()
    outer = Method(inner)
    inner.forward = lambda x: inner.network(x)  # type: ignore[method-assign]
    with recorded_networks(outer):
        assert isinstance(inner.network.forward, Recorded)
        assert not isinstance(inner.forward, Recorded)


class Drawing(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if random.random() < 2 else x


class Counting(nn.Linear):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.calls * super().forward(x)


class Failing(nn.Linear):
    tries = 0

    def forward(self, x: Tensor) -> Tensor:
        self.tries += 1
        if self.tries == PLAIN + 1:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        return super().forward(x)


class Hiding(nn.Module):
    """Its weight is reached in another way than by the name that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.held = [self.layer.weight]

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.held[0]


class Replacing(nn.Linear):
    mean: Tensor

    def __init__(self) -> None:
        super().__init__(3, 3)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.mean().detach()
        return super().forward(x)


class Pair(nn.Linear):
    def forward(self, x: Tensor) -> Any:
        out = super().forward(x)
        return out, out


class Idle(nn.Linear):
    """With a parameter that it does not use."""

    def __init__(self) -> None:
        super().__init__(3, 3)
        self.idle = nn.Parameter(torch.ones(2))


def test_an_unused_parameter_has_no_gradient_and_a_second_backward_pass_is_refused() -> None:
    method = Method(Idle())
    with recorded_networks(method):
        trained(method, once)
        loss = once(method, X[0])
        loss.backward(retain_graph=True)
        assert method.network.idle.grad is None
        assert method.network.weight.grad is not None
        with pytest.raises(BenchError, match="has one backward pass"):
            loss.backward()


def test_a_gradient_of_a_gradient_is_refused() -> None:
    method = Method()
    with recorded_networks(method):
        trained(method, once)
        loss = once(method, X[0])
        with pytest.raises(BenchError, match="has one backward pass"):
            torch.autograd.grad(loss, list(method.parameters()), create_graph=True)


def test_two_outputs_are_plain() -> None:
    method = Method(Pair(3, 3))
    with recorded_networks(method), pytest.warns(UserWarning, match="more than a tensor"):
        trained(method, lambda method, x: method.network(x)[0].square().mean())
    assert Played.count == 0


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (lambda: Drawing(3, 3), "not the same each time"),
        (lambda: Counting(3, 3), "not the same each time"),
        (lambda: Failing(3, 3), "when stream is capturing$"),
        (Hiding, "not the same each time"),
        (Replacing, "replaces its buffer 'mean'"),
    ],
)
def test_a_network_that_cannot_be_recorded_stays_plain_with_a_warning(kind: Any, reason: str) -> None:
    method = Method(kind())
    with recorded_networks(method), pytest.warns(UserWarning, match=f"without a recording.*: .*{reason}"):
        trained(method, once)
    assert Played.count == 0


def test_an_attempt_changes_no_buffer() -> None:
    plain, method = Method(Replacing()), Method(Replacing())
    with recorded_networks(method), pytest.warns(UserWarning, match="replaces its buffer"):
        found = trained(method, once)
    assert all(torch.equal(one, other) for one, other in zip(found, trained(plain, once), strict=True))
