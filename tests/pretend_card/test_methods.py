"""Every method reconstructs, and learns, on a card: none of its tensors stays behind on the processor."""

from dataclasses import replace

import pytest

from bench.contract import registry
from bench.contract.construct import build, parameters, unsupported
from bench.contract.determinism import seeded
from bench.contract.devices import DEVICE_TOLERANCE, SENSITIVE, distance, sensitivity
from bench.contract.toy_operators import toys
from bench.contract.toy_trial import run, step
from tests.pretend_card.card import pretend_card

TOYS = ("blur", "rays", "mri", "multicoil", "dipole", "blind blur", "finding from rays")
FEW = {"iterations": 2, "sweeps": 2, "samples": 2}  # what a method repeats needs no more to be seen
SLOW = ("ksvd", "mod", "mod_trained")  # they share their code with ksvd_trained but for the update of the dictionary
LAZY = "automap"  # its first layer takes its size from the first image, by a swap of classes that wrappers lack
BY_ITSELF = ("sdae", "wgan")  # they move their optimisers themselves, for which Lightning must know the device


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in registry.methods() if name != LAZY],
)
def test_a_method_works_on_a_card(name):
    method = registry.load_method(name)
    few = {key: count for key, count in FEW.items() if key in parameters(method)}
    tried = 0
    for toy in toys():
        if toy.track.name not in TOYS or unsupported(method, toy.track):
            continue
        toy = replace(toy, y=toy.x) if method.sees_truth else toy

        def made(device, toy=toy):
            with seeded(0):
                return build(method, toy.track, few).eval().to(device)

        expected = run(made("cpu"), toy.y, toy.physics(toy.params))
        with pretend_card() as card:
            there = toy.on(card)
            network = made(card)
            found = run(network, there.y, there.physics(there.params))
            assert found.device == card
            apart = distance(found.cpu(), expected)
            if method.learned and name not in BY_ITSELF:
                step(network, there)
        assert apart <= DEVICE_TOLERANCE or apart <= SENSITIVE * sensitivity(made("cpu"), toy, expected)
        tried += 1
    assert tried
