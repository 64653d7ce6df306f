"""DnCNN: its size, merged normalisations, and that it learns."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, assert_learns_one_image
from torch import nn

from baselines.post_processing.dncnn import DnCNN


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_it_has_the_parameters_of_the_paper():
    assert sum(p.numel() for p in DnCNN(merged=True).parameters()) == 555_137
    assert sum(p.numel() for p in DnCNN().parameters()) == 555_137 + 15 * 64  # a scale for each normalised channel


def test_it_starts_as_direct():
    y = torch.randn(2, 1, 16, 16)
    assert torch.equal(DnCNN(layers=4, width=4)(y, Denoising()), y)


def test_a_merged_network_is_the_normalised_one():
    whole, merged = DnCNN(layers=4, width=4), DnCNN(layers=4, width=4, merged=True)
    for module in whole.network:
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(value)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    nn.init.normal_(whole.network[-1].weight)
    convolutions = iter(module for module in merged.network if isinstance(module, nn.Conv2d))
    modules = list(whole.network)
    with torch.no_grad():
        for i, module in enumerate(modules):
            if isinstance(module, nn.Conv2d):
                target, weight, bias = next(convolutions), module.weight, module.bias
                if i + 1 < len(modules) and isinstance(modules[i + 1], nn.BatchNorm2d):
                    norm = modules[i + 1]
                    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
                    weight, bias = scale.reshape(-1, 1, 1, 1) * weight, norm.bias - scale * norm.running_mean
                target.weight.copy_(weight)
                target.bias.copy_(bias)
        y = torch.rand(1, 1, 12, 10)
        assert torch.allclose(whole.eval()(y, Denoising()), merged.eval()(y, Denoising()), atol=1e-5)


def test_equivariant_to_the_unit():
    method = DnCNN(layers=4, width=4).eval()
    nn.init.normal_(method.network[-1].weight)
    assert_equivariant_to_the_unit(method)


def test_learns_one_image():
    assert_learns_one_image(DnCNN(layers=4, width=16), rate=3e-3, share=0.2)
