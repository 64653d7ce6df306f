"""Memory of a GPU that is reserved and not used is given back once it is much."""

from types import SimpleNamespace

import pytest
import torch

from bench.evaluation.resources import give_back_spare_memory


@pytest.mark.parametrize(("device", "reserved", "given"), [("cuda", 40, 1), ("cuda", 30, 0), ("cpu", 90, 0)])
def test_much_spare_memory_is_given_back(monkeypatch, device, reserved, given):
    calls = []
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: reserved)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 10)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=100))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append(device))
    give_back_spare_memory(torch.device(device))
    assert len(calls) == given
