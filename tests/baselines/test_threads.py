"""One item a thread: the order, the modes and the number of threads stay as they were."""

import threading

import pytest
import torch

from baselines.threads import each


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_items_keep_their_order_and_are_worked_on_at_once(two_threads):
    meet = threading.Barrier(2, timeout=30)  # breaks unless two items are there at a time

    def add(a, b):
        meet.wait()
        assert torch.get_num_threads() == 1
        return a + b

    a, b = torch.arange(4.0), torch.arange(4.0) * 10
    assert torch.equal(torch.stack(each(add, a, b)), a + b)
    assert torch.get_num_threads() == 2


def test_gradients_pass_and_modes_are_kept(two_threads):
    x = torch.ones(2, 3, requires_grad=True)
    torch.stack(each(torch.sin, x)).sum().backward()
    assert torch.allclose(x.grad, x.detach().cos())
    with torch.no_grad():
        assert not any(item.requires_grad for item in each(torch.sin, x))
    with torch.inference_mode():
        assert all(item.is_inference() for item in each(torch.sin, x))


def test_an_error_comes_through_and_threads_are_given_back(two_threads):
    def fail(item):
        raise ValueError(f"item {item:g}")

    with pytest.raises(ValueError, match="item 0"):
        each(fail, torch.arange(3.0))
    assert torch.get_num_threads() == 2
