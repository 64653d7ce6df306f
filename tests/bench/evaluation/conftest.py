"""A network to train."""

import pytest
import torch
import toy

from bench.contract import registry


@pytest.fixture
def network(tmp_path):
    torch.manual_seed(0)
    return registry.load_method(toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod"))
