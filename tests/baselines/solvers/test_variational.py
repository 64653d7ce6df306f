"""Choices that no variational model takes, and a weight of zero."""

import pytest
import torch
from deepinv.physics import Denoising
from examples import image

from baselines.handcrafted.tgv import TGV
from baselines.handcrafted.tv import TV
from bench.errors import BenchError


@pytest.mark.parametrize(("name", "value"), [("algorithm", "fista"), ("data", "poisson")])
def test_wrong_choices_name_the_right_ones(name, value):
    with pytest.raises(BenchError, match=f"{name}={value} is not one of"):
        TV(**{name: value})


def test_a_weight_of_zero_leaves_the_data_term_alone():
    y = image(1, 1, 8, 8)
    y[..., :4] = 0.5  # flat, where 0/0 lurks
    for method in (TV(0), TGV(0.0)):
        assert torch.allclose(method(y, Denoising()), y, atol=1e-6)
