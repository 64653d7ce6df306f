"""Every method that is found keeps the contract."""

import pytest

from bench.contract import registry
from bench.contract.checks import check


@pytest.mark.parametrize("name", registry.methods())
def test_contract(name):
    breaches = [
        f"{outcome.check}: {outcome.message}" for outcome in check(registry.load_method(name)) if not outcome.passed
    ]
    assert not breaches
