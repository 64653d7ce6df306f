"""Every method that is found keeps the contract."""

import pytest

from bench.contract import registry
from bench.contract.checks import check

SLOW = ("ksvd", "mod", "mod_trained")  # they share their code with ksvd_trained but for the update of the dictionary


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in registry.methods()]
)
def test_contract(name):
    breaches = [
        f"{outcome.check}: {outcome.message}" for outcome in check(registry.load_method(name)) if not outcome.passed
    ]
    assert not breaches
