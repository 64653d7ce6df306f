"""The direct reconstruction is the operator's, and is tuned from the operator's own defaults."""

from dataclasses import replace

import pytest
import torch
from deepinv.physics import BlurFFT

from baselines.handcrafted.direct import Direct
from bench.contract import registry
from bench.contract.space import Choice, Float, contains
from bench.contract.toy_operators import toys

TUNED = [track for track in registry.all_tracks() if track.direct_space]


class Scaled(BlurFFT):
    def direct(self, y, factor=2.0, window="hann"):
        return factor * y


def test_it_hands_its_hyperparameters_to_the_operator():
    physics = Scaled((1, 8, 8), torch.ones(1, 1, 3, 3) / 9)
    y = torch.rand(1, 1, 8, 8)
    assert torch.equal(Direct()(y, physics), 2 * y)
    assert torch.equal(Direct(factor=3.0)(y, physics), 3 * y)


def test_the_search_starts_at_the_defaults_of_the_operator():
    track = replace(
        toys()[0].track,
        direct_space={"factor": Float(0, 4), "window": Choice(("hann", "ramp"))},
        direct_defaults={"factor": 2.0, "window": "hann", "untuned": 7},
    )
    assert Direct.space(track) == track.direct_space
    assert Direct.defaults(track) == {"factor": 2.0, "window": "hann"}


@pytest.mark.parametrize("track", TUNED, ids=lambda track: track.id)
def test_every_track_that_tunes_it_states_defaults_inside_of_the_ranges(track):
    found = Direct.defaults(track)
    assert set(found) == set(Direct.space(track))
    assert all(contains(values, found[name]) for name, values in Direct.space(track).items())
