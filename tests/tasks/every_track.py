"""Every track that is found, opened once, and its samples as methods meet them."""

from functools import cache

import torch

from bench.contract import registry
from bench.contract.task import Problem, Sample
from bench.data.measurements import Measured, collate

TRACKS = {track.id: track for track in registry.all_tracks()}

CPU = torch.device("cpu")


@cache
def opened(name: str) -> Problem:
    track = TRACKS[name]
    return registry.load_task(track.task).open(track)


@cache
def sample(name: str, split: str) -> Sample:
    return Measured(TRACKS[name], opened(name), split, 1)[0]


def batched(name: str, split: str = "test"):
    """A sample as methods meet it: x in single precision, y, and the physics."""
    _, x, y, params = collate([sample(name, split)])
    return x.float(), y, opened(name).physics(params, CPU)
