"""Images are reconstructed in full precision, from seeded generators; afterwards all is as before."""

import random

import numpy as np
import pytest
import torch
from torch.backends import cudnn

from bench.contract.determinism import exact, seeded


def test_no_tf32_and_deterministic_inside_and_as_before_outside():
    def settings():
        filled = torch.utils.deterministic.fill_uninitialized_memory
        return cudnn.allow_tf32, cudnn.deterministic, torch.are_deterministic_algorithms_enabled(), filled

    before = settings()
    with exact():
        assert settings() == (False, True, True, False)
    assert settings() == before


def drawn():
    return float(torch.rand(())), float(np.random.random()), random.random()  # noqa: NPY002


def state():
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002


def test_a_seed_gives_the_same_numbers_of_each_generator():
    found = []
    for seed in (1, 2, 1):
        with seeded(seed):
            found.append(drawn())
    assert found[0] == found[2]
    assert all(one != other for one, other in zip(*found[:2], strict=True))


def test_seeding_leaves_the_generators_as_they_were():
    before = state()
    with pytest.raises(KeyError), seeded(1):
        raise KeyError(drawn())
    assert state() == before
