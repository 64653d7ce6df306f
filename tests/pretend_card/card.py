"""A card that is not there: its tensors lie in main memory, but mix with no others, as on a GPU.

Within `pretend_card` the device ``meta`` computes. An operation on tensors of both devices raises, by the rules of
CUDA: a number (0-dimensional) may come from the processor, so may indices; `to` and `copy_` move. Values and speed are
the processor's: what only a card can show are its kernels, its rounding and its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

CARD, PROCESSOR = torch.device("meta"), torch.device("cpu")
aten = torch.ops.aten
MOVES = (aten._to_copy.default, aten.copy_.default)
INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default)
AT_ONCE = {  # operations that set a bit of a tensor for others to heed; a wrapper has none
    aten._conj.default: aten.conj_physical.default,
    aten._neg_view.default: aten.neg.default,
}


class CardTensor(Tensor):
    """``held``: the values, a tensor of the processor."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> CardTensor:
        plain = held.layout == torch.strided
        strides = {"strides": held.stride(), "storage_offset": held.storage_offset()} if plain else {}
        made = Tensor._make_wrapper_subclass(
            cls, held.shape, dtype=held.dtype, layout=held.layout, device=CARD, **strides
        )
        made.held = held
        return made

    def __repr__(self) -> str:
        return f"CardTensor({self.held})"

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(operation, args, kwargs or {})


Generator = torch.Generator
of_card: dict[int, Generator] = {}  # {address: a generator of the card}, which draws the processor's numbers


class _Kinds(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, Generator)


class AnyGenerator(metaclass=_Kinds):
    """`torch.Generator`, which knows the card."""

    def __new__(cls, device: Any = "cpu") -> Any:
        if torch.device(device) != CARD:
            return Generator(device)
        made = Generator()
        of_card[made._cdata] = made
        return made


def compute(operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """An operation on tensors of the card, or one that makes some there."""
    tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    if operation not in MOVES:
        for one in tensors:
            index = operation in INDEXED and one is not args[0] and one.dtype in (torch.bool, torch.long)
            if not isinstance(one, CardTensor) and one.dim() > 0 and not index:
                raise RuntimeError(f"{operation}: a tensor of the processor, {tuple(one.shape)}, among the card's")
    goes_to = torch.device(kwargs["device"]) if kwargs.get("device") is not None else CARD
    if goes_to == CARD and kwargs.get("generator") and kwargs["generator"]._cdata not in of_card:
        raise RuntimeError(f"{operation}: a generator of the processor draws for the card")
    inner_args, inner = tree_map_only(CardTensor, lambda one: one.held, (args, dict(kwargs)))
    inner |= {"device": PROCESSOR} if "device" in inner else {}
    inner |= {"pin_memory": False} if "pin_memory" in inner else {}
    out = AT_ONCE.get(operation, operation)(*inner_args, **inner)
    if goes_to != CARD:
        return out
    if operation is aten.copy_.default and not isinstance(args[0], CardTensor):
        return args[0]
    out = tree_map_only(Tensor, CardTensor, out)
    return return_and_correct_aliasing(operation, args, dict(kwargs), out) if tensors else out


class Dispatch(TorchDispatchMode):
    """Makes tensors on the card where its device is named."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        named = kwargs.get("device")
        on_card = any(isinstance(one, CardTensor) for one in tree_leaves((args, kwargs)))
        if on_card or (named is not None and torch.device(named) == CARD):
            return compute(operation, args, kwargs)
        return operation(*args, **kwargs)


class Functions(TorchFunctionMode):
    """Functions of Python that are done before any operation is dispatched."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return function(*args, **kwargs).to(device)
        if function is Tensor.new_tensor and isinstance(args[0], CardTensor):
            return torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}).to(CARD)
        if function is Tensor.tolist:
            return args[0].cpu().tolist()
        if function is torch.unravel_index:
            return tuple(one.to(args[0].device) for one in function(args[0].cpu(), *args[1:], **kwargs))
        return function(*args, **kwargs)


@contextmanager
def pretend_card() -> Iterator[torch.device]:
    """The device, which computes inside."""
    with mock.patch.object(torch, "Generator", AnyGenerator), Functions(), Dispatch():
        try:
            yield CARD
        finally:
            of_card.clear()
