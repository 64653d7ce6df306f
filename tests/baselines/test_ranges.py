"""Every default lies well inside of its range, so that a search can go either way."""

import pytest

from bench.contract import registry
from bench.contract.space import at_edge

OF_THE_OPERATOR = {"cutoff"}  # of a filter: one is the whole band


@pytest.mark.parametrize("name", sorted(registry.methods()))
def test_no_default_is_at_an_edge(name):
    method = registry.load_method(name)
    for track in registry.all_tracks():
        if method.supports(track) is None:
            start = method.defaults(track)
            own = {key: values for key, values in method.space(track).items() if key not in OF_THE_OPERATOR}
            found = {key: start[key] for key, values in own.items() if at_edge(start[key], values)}
            assert not found, track.id
