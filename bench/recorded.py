"""Work of a GPU as CUDA graphs: hundreds of small kernels, which Python starts more slowly than the device does them.

Here are the passes of a network in training, forward and backward, for `bench.evaluation`, and the parts of which
other recordings are made.
"""

from __future__ import annotations

import copy
import random
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

PLAIN = 2  # calls with tensors of one kind before their passes are recorded: plans and kernels are made in them

T = TypeVar("T")
Kind = tuple[torch.Size, torch.dtype, bool]  # of a tensor: its shape, dtype, and whether a gradient is asked of it


def try_once(work: Callable[[], Any]) -> None:
    """Do the work that is to be recorded, so that its kernels are made.

    Raises RuntimeError where the process would wait for the device, which a graph can't, as far as PyTorch sees that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that not all ways to wait are seen
        torch.cuda.set_sync_debug_mode("error")
    try:
        work()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def record(work: Callable[[], Any], pool: Any = None) -> tuple[torch.cuda.CUDAGraph, Any]:
    """The graph of some work, and what it returned: tensors that are filled when the graph is replayed.

    To be called on a stream that is not the default one. Graphs that follow one another share a memory ``pool``. Other
    threads may use the GPU meanwhile.
    """
    graph = torch.cuda.CUDAGraph()
    graph.capture_begin(pool=pool, capture_error_mode="thread_local")
    try:
        returned = work()
    finally:
        graph.capture_end()
    return graph, returned


def attempted(make: Callable[[], T], without: str) -> T | None:
    """What ``make`` records; None where it can't, with a warning that begins with what happens ``without``."""
    try:
        return make()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or ["?"])[0]
        warnings.warn(f"{without}: {reason}", stacklevel=3)
        return None


@contextmanager
def aside(device: torch.device) -> Iterator[None]:
    """On a stream of its own, which waits for the current one and is waited for."""
    here, side = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    side.wait_stream(here)
    with torch.cuda.stream(side):
        yield
    here.wait_stream(side)


@contextmanager
def recorded_networks(method: nn.Module) -> Iterator[None]:
    """Inside, the networks of a method take recorded passes while they are trained on a GPU.

    They are its parts, at any depth, that are called ``network``: see `bench.contract.method.LearnedMethod`. Of those
    within each other it is the innermost.
    """
    found = {one for part in method.modules() if isinstance(one := getattr(part, "network", None), nn.Module)}
    stand_ins = [(one, Recorded(one)) for one in found if not found & set(one.modules()) - {one}]
    for network, stand_in in stand_ins:
        network.forward = stand_in  # type: ignore[assignment]
    try:
        yield
    finally:
        for network, _ in stand_ins:
            del network.forward  # type: ignore[union-attr]


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
        wanted = [self.x, *self.parameters] if like.requires_grad else self.parameters

        def backward(out: Tensor, gradient: Tensor) -> tuple[Tensor | None, ...]:
            return torch.autograd.grad(out, wanted, gradient, allow_unused=True)

        with kept(network, like.device), aside(like.device):
            try_once(lambda: backward(out := forward(self.x), torch.zeros_like(out)))
            self.forward, self.out = record(lambda: forward(self.x))
            self.gradient = torch.zeros_like(self.out)
            self.backward, found = record(lambda: backward(self.out, self.gradient), self.forward.pool())
        self.out = self.out.detach()
        self.gradients = found if like.requires_grad else (None, *found)
        self.compare(network, forward)

    def compare(self, network: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
        """Raises RuntimeError where the recorded pass is not that of the network."""
        drawn = draws()
        with kept(network, self.x.device), torch.no_grad():
            expected = forward(self.x)
        with kept(network, self.x.device):
            self.forward.replay()
        if draws() != drawn or not torch.equal(self.out, expected):
            raise RuntimeError("it is not the same each time")

    def waiting(self) -> bool:
        """Whether the last pass may still be followed by its backward pass, which needs what the forward one left."""
        return self.last is not None and self.last() is not None


def places(network: nn.Module) -> list[tuple[int, bool]]:
    """Where a network's parameters lie, and which of them learn."""
    return [(one.data_ptr(), one.requires_grad) for one in network.parameters()]


def draws() -> tuple[Any, ...]:
    """What changes when a network draws random numbers that are not PyTorch's."""
    return random.getstate(), np.random.get_state(legacy=False)["state"]["pos"]  # noqa: NPY002 - it may


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
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        passes: Passes = ctx.passes
        for parameter in passes.parameters:
            if parameter.grad is not None:  # it may lie where the gradients are written now
                parameter.grad = parameter.grad.clone()
        passes.gradient.copy_(gradient)
        passes.backward.replay()
        ctx.pending = None
        x, *others = (None if one is None else one.detach() for one in passes.gradients)
        return x, None, *others


@contextmanager
def kept(network: nn.Module, device: torch.device) -> Iterator[None]:
    """What passes change is as before: running means, and the state of the random numbers of the GPU."""
    buffers = [(one, one.clone()) for one in network.buffers()]
    state = torch.cuda.get_rng_state(device)
    try:
        yield
    finally:
        torch.cuda.set_rng_state(state, device)
        for buffer, before in buffers:
            buffer.data.copy_(before)  # plain passes may have kept it for their backward pass
