"""Every default lies well inside of its range, so that a search can go either way."""

import pytest

from bench.contract import registry
from bench.contract.space import at_edge


@pytest.mark.parametrize("name", sorted(registry.methods().keys() - {"direct"}))  # a cutoff of 1 is the whole band
def test_no_default_is_at_an_edge(name):
    method = registry.load_method(name)
    for track in registry.all_tracks():
        if method.supports(track) is None:
            start = method.defaults(track)
            found = {key: start[key] for key, values in method.space(track).items() if at_edge(start[key], values)}
            assert not found, track.id
