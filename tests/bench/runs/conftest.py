"""A network for a run, and a process that is as before when the run has ended."""

import pytest
import torch
import toy


@pytest.fixture
def sandbox(monkeypatch):
    """A run seeds its process and asks it for determinism; the test process goes on as before."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "1")
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture
def network(tmp_path):
    return toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
