"""Images are reconstructed in full single precision; afterwards PyTorch is set as before."""

import torch
from torch.backends import cudnn

from bench.contract.precision import exact


def test_no_tf32_and_deterministic_inside_and_as_before_outside():
    before = cudnn.allow_tf32, torch.are_deterministic_algorithms_enabled()
    with exact():
        assert not cudnn.allow_tf32
        assert cudnn.deterministic
        assert torch.are_deterministic_algorithms_enabled()
    assert (cudnn.allow_tf32, torch.are_deterministic_algorithms_enabled()) == before
