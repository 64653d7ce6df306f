"""Hooks of the contract of a method that have a default."""

from dataclasses import replace

from bench.contract.method import Method
from bench.contract.space import Float
from bench.contract.toy_operators import toys

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
