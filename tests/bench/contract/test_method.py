"""Hooks of the contract of a method that have a default."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bench.contract.method import LearnedMethod, Method
from bench.contract.space import Float
from bench.contract.toy_operators import toys
from bench.errors import BenchError

TRACK = toys()[0].track


class Shrink(Method):
    def __init__(self, factor=0.9, offset=0.1, *, unsearched=1.0, **others):
        super().__init__()

    @classmethod
    def space(cls, track):
        return {"factor": Float(0, 1), "others": Float(0, 1), "unstated": Float(0, 1)} if track.denoising else {}


def test_defaults_are_the_constructors_own_for_the_names_of_the_space():
    assert Shrink.defaults(replace(TRACK, denoising=True)) == {"factor": 0.9}
    assert Shrink.defaults(replace(TRACK, denoising=False)) == {}


class Net(LearnedMethod):
    """On a card, as far as it tells."""

    device = torch.device("cuda")

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)


@pytest.mark.parametrize(("precision", "fused"), [("32-true", True), ("bf16-mixed", None)])
def test_adam_is_fused_on_a_card_but_where_lightning_could_not_clip_then(precision, fused):
    net = Net()
    net.trainer = SimpleNamespace(precision=precision, estimated_stepping_batches=10)
    assert net.configure_optimizers()["optimizer"].defaults["fused"] is fused


@pytest.mark.parametrize("returns", ["finding", ("findings",), ("image", "mask")])
def test_an_estimate_has_the_parts_that_are_known(returns):
    with pytest.raises(BenchError, match="Declare a tuple of image, finding, std"):
        type("Odd", (Method,), {"returns": returns})
