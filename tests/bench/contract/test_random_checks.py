"""The contract of random numbers: those of seeded generators are allowed, others are not."""

import os
import random

import numpy as np
import pytest
import torch

from bench.contract.checks import check
from bench.contract.method import Method
from bench.contract.toy_operators import toys


class Sampler(Method):
    """y and a little noise, drawn by a function of the shape."""

    draw = staticmethod(lambda shape: torch.randn(shape))

    def forward(self, y, physics):
        return physics.A_adjoint(y) + 0.01 * self.draw(physics.A_adjoint(y).shape)


class NumPySampler(Sampler):
    draw = staticmethod(lambda shape: torch.from_numpy(np.random.standard_normal(shape)).float())  # noqa: NPY002


class PythonSampler(Sampler):
    draw = staticmethod(lambda shape: torch.full(shape, random.random()))


class Unseeded(Sampler):
    draw = staticmethod(lambda shape: torch.full(shape, int.from_bytes(os.urandom(4), "big") / 2**32))


class OwnGenerator(Sampler):
    """Seeded by the system and not by the referee."""

    draw = staticmethod(lambda shape: torch.from_numpy(np.random.default_rng().standard_normal(shape)).float())


def toy_breaches(method):
    """The messages of all checks on toy operators that failed."""
    return [outcome.message for outcome in check(method) if ": " in outcome.check and not outcome.passed]


@pytest.mark.parametrize("method", [Sampler, NumPySampler, PythonSampler])
def test_a_method_may_draw_from_generators_that_are_seeded(method):
    assert toy_breaches(method) == []


@pytest.mark.parametrize("method", [Unseeded, OwnGenerator])
def test_other_randomness_is_a_breach(method):
    found = toy_breaches(method)
    assert len(found) == len([toy for toy in toys() if not toy.track.classes])
    assert all("a second call with the same seed differs by" in message for message in found)


def test_checks_leave_the_generators_as_they_were():
    states = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    toy_breaches(NumPySampler)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
