"""Every method that is found keeps the contract."""

import pytest

from bench import registry
from bench.check import check


@pytest.mark.parametrize("name", registry.methods())
def test_contract(name):
    breaches = [
        f"{outcome.check}: {outcome.message}" for outcome in check(registry.load_method(name)) if not outcome.passed
    ]
    assert not breaches
