"""The passes of networks in training, forward and backward, as CUDA graphs of a GPU.

A small network has hundreds of small kernels, which Python starts more slowly than the device does them.
"""

from __future__ import annotations

import copy
import random
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from bench.cuda_graphs import aside, attempted, record, try_once
from bench.errors import BenchError

PLAIN = 2  # calls with tensors of one kind before their passes are recorded: plans and kernels are made in them

SAME = 1e-5  # a recorded pass differs from a plain one by at most so much of the largest value

Kind = tuple[torch.Size, torch.dtype, bool]  # of a tensor: its shape, dtype, and whether a gradient is asked of it


@contextmanager
def recorded_networks(method: nn.Module) -> Iterator[None]:
    """Inside, the networks of a method take recorded passes while they are trained on a GPU.

    They are its parts, at any depth, that are called ``network``: see `bench.contract.method.LearnedMethod`. Of those
    within each other it is the innermost.
    """
    found = {one for part in method.modules() if isinstance(one := getattr(part, "network", None), nn.Module)}
    networks = [one for one in found if not found & set(one.modules()) - {one}]
    own = [vars(network).get("forward") for network in networks]
    for network in networks:
        network.forward = Recorded(network)  # type: ignore[assignment]
    try:
        yield
    finally:
        for network, forward in zip(networks, own, strict=True):
            if forward is None:
                del network.forward  # type: ignore[union-attr]
            else:
                network.forward = forward


class Recorded:
    """In the place of the ``forward`` of a network: by `Passes` for the first kind of input that comes often."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.plain = network, network.forward
        self.calls: Counter[Kind] = Counter()
        self.kind: Kind | None = None  # that was recorded, or could not be
        self.passes: Passes | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.plain, memo)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if options or len(arguments) != 1 or not self.recordable(arguments[0]):
            return self.plain(*arguments, **options)
        (x,) = arguments
        kind = x.shape, x.dtype, x.requires_grad
        self.calls[kind] += 1
        if self.kind is None and self.calls[kind] > PLAIN:
            self.kind, self.passes = kind, self.recording(x)
        if (
            kind != self.kind
            or self.passes is None
            or self.passes.waiting()
            or self.passes.places != places(self.network)
        ):
            return self.plain(x)
        return Pass.apply(x, self.passes, *self.passes.parameters)

    def recordable(self, x: Any) -> bool:
        return (
            isinstance(x, Tensor)
            and x.is_cuda
            and self.network.training
            and torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cuda")
            and not torch.compiler.is_compiling()
        )

    def recording(self, x: Tensor) -> Passes | None:
        """The passes for tensors like ``x``; None, with a warning, where they can't be recorded."""
        without = "trains without a recording of its network on this GPU"
        return attempted(lambda: Passes(self.network, self.plain, x), without)


class Passes:
    """The passes of a network for one kind of input: ``x`` to ``out``, ``gradient`` of that to ``gradients``.

    Raises RuntimeError where they can't be recorded, or where a pass from the recording is not that of the network.
    """

    def __init__(self, network: nn.Module, forward: Callable[[Tensor], Tensor], like: Tensor) -> None:
        self.parameters, self.places = [one for one in network.parameters() if one.requires_grad], places(network)
        self.x = like.detach().clone(memory_format=torch.contiguous_format).requires_grad_(like.requires_grad)
        self.last: weakref.ref[Pending] | None = None
        # Other leaves at the same places: those of the network may wait for a backward pass on another stream.
        bare = Bare(network, forward)
        alike = {name: one.detach().requires_grad_(one.requires_grad) for name, one in bare.named_parameters()}
        inputs = [self.x, *(one for one in alike.values() if one.requires_grad)]
        wanted = inputs if like.requires_grad else inputs[1:]
        self.gradients: dict[int, Tensor] = {}  # of those inputs that have one

        def forwards() -> Tensor:
            out = functional_call(bare, alike, (self.x,))
            if not isinstance(out, Tensor):
                raise RuntimeError("it returns more than a tensor")
            return out

        def backwards(out: Tensor, gradient: Tensor) -> None:
            """Into tensors outside of the memory of the graphs, where the next forward pass may write."""
            found = torch.autograd.grad(out, wanted, gradient, allow_unused=True)
            for place, one in enumerate(found, len(inputs) - len(found)):
                if one is not None:
                    if place not in self.gradients:  # when it is tried
                        self.gradients[place] = torch.empty_like(inputs[place])
                    self.gradients[place].copy_(one)

        with kept(network, like.device), aside(like.device):
            try_once(lambda: backwards(out := forwards(), torch.ones_like(out)))
            self.forward, out = record(forwards)
            self.gradient = torch.ones_like(out)
            self.backward, _ = record(partial(backwards, out, self.gradient), self.forward.pool())
        self.out = out.detach()
        del out  # what it came from belongs to another stream
        self.compare(network, forward)

    def compare(self, network: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
        """Raises RuntimeError where recorded passes are not those of the network."""
        drawn = draws()
        with kept(network, self.x.device):
            out = forward(self.x)
            wanted = [self.x, *self.parameters] if self.x.requires_grad else self.parameters
            found = torch.autograd.grad(out, wanted, self.gradient, allow_unused=True)
        first = 1 + len(self.parameters) - len(found)
        plain = {place: one for place, one in enumerate(found, first) if one is not None}
        with kept(network, self.x.device):
            self.forward.replay()
            self.backward.replay()
        if (
            draws() != drawn
            or plain.keys() != self.gradients.keys()
            or not is_same(self.out, out)
            or not all(is_same(self.gradients[place], one) for place, one in plain.items())
        ):
            raise RuntimeError("it is not the same each time")

    def waiting(self) -> bool:
        """Whether the last pass may still be followed by its backward pass, which needs what the forward one left."""
        return self.last is not None and self.last() is not None


def is_same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= SAME * other.abs().max())


def places(network: nn.Module) -> list[tuple[int, bool]]:
    """Where a network's parameters and buffers lie, and which of them learn."""
    return [(one.data_ptr(), one.requires_grad) for one in (*network.parameters(), *network.buffers())]


def draws() -> tuple[Any, ...]:
    """What changes when a network draws random numbers that are not those of the GPU."""
    numpys = np.random.get_state(legacy=False)["state"]["pos"]  # noqa: NPY002 - it may
    return random.getstate(), numpys, torch.get_rng_state().numpy().tobytes()


class Bare(nn.Module):
    """A network with its own ``forward``, whatever stands in its place."""

    def __init__(self, network: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.plain = network, forward

    def forward(self, x: Tensor) -> Tensor:
        return self.plain(x)


class Pending:
    """A forward pass whose backward pass may come."""


class Pass(torch.autograd.Function):
    """One pass by the recordings."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, passes: Passes, *parameters: Tensor) -> Tensor:
        ctx.passes, ctx.pending = passes, Pending()
        passes.last = weakref.ref(ctx.pending)
        passes.x.detach().copy_(x)
        passes.forward.replay()
        return passes.out.clone()  # the next pass writes there

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        passes: Passes = ctx.passes
        if ctx.pending is None or torch.is_grad_enabled():
            raise BenchError("a recorded pass of a network has one backward pass. Set BENCH_RECORDED=off.")
        for parameter in passes.parameters:
            if parameter.grad is not None:  # it may lie where the gradients are written now
                parameter.grad = parameter.grad.clone()
        passes.gradient.copy_(gradient)
        passes.backward.replay()
        ctx.pending = None
        found = [passes.gradients.get(place) for place in range(1 + len(passes.parameters))]
        x, *others = (None if one is None else one.detach() for one in found)
        return None if x is None else x.clone(), None, *others


@contextmanager
def kept(network: nn.Module, device: torch.device) -> Iterator[None]:
    """What passes change is as before: running means, and the state of the random numbers of the GPU.

    Raises RuntimeError where a pass replaces a buffer, which a graph can't.
    """
    buffers = [(name, one, one.clone()) for name, one in network.named_buffers()]
    state = torch.cuda.get_rng_state(device)
    try:
        yield
    finally:
        torch.cuda.set_rng_state(state, device)
        now = dict(network.named_buffers())
        replaced = [(name, one) for name, one, _ in buffers if now.get(name) is not one]
        for name, one in replaced:
            owner, _, last = name.rpartition(".")
            setattr(network.get_submodule(owner), last, one)
        for _, one, before in buffers:
            one.data.copy_(before)  # plain passes may have kept it for their backward pass
    if replaced:
        raise RuntimeError(f"it replaces its buffer {replaced[0][0]!r}")
