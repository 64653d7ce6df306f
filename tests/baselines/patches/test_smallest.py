"""The smallest values of rows, by the kernel of a GPU in the interpreter of its compiler, against `torch.topk`."""

import pytest
import torch

from baselines.patches.smallest import by_kernel, by_topk, smallest
from tests.interpreted import interpret, needs_triton

PROGRAM = """
import torch
from baselines.patches.smallest_kernel import smallest_of_rows

for dtype in (torch.float32, torch.float64):
    for shape, count in (((2, 3, 81), 16), ((1, 64), 64), ((4, 5), 1), ((0, 5), 2)):
        values = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
        values[..., 2] = -torch.inf
        values[..., 4] = torch.inf
        found, places = smallest_of_rows(values, count)
        expected = values.topk(count, largest=False)
        assert found.dtype == dtype
        assert torch.equal(found, expected.values), (shape, count)
        finite = found.isfinite() | (found == -torch.inf)
        assert torch.equal(places[finite], expected.indices[finite])
        assert (places >= 0).all() and (places < shape[-1]).all()
found, places = smallest_of_rows(torch.full((2, 5), torch.inf), 3)
assert found.isinf().all() and (places >= 0).all() and (places < 5).all()
found, places = smallest_of_rows(torch.full((2, 5), torch.nan), 3)
assert (places >= 0).all() and (places < 5).all()
found, places = smallest_of_rows(torch.tensor([[2.0, 1.0, 1.0, 0.0, 1.0]]), 4)
assert places.tolist() == [[3, 1, 2, 4]], places  # of equal ones the first
print("done")
"""


@needs_triton
def test_the_kernel_finds_what_topk_finds():
    interpret(PROGRAM)


def test_a_kernel_that_fails_is_told_with_its_reason():
    with pytest.warns(UserWarning, match="torch.topk on this GPU, as its own kernel failed: "):
        assert by_kernel.__wrapped__(torch.device("cpu")) is by_topk


def test_the_smallest_come_in_rising_order():
    found, places = smallest(torch.tensor([[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]]), 2)
    assert (found.tolist(), places.tolist()) == ([[1.0, 2.0], [4.0, 5.0]], [[1, 2], [2, 0]])
