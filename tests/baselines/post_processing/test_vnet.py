"""V-Net: the receptive fields and the features of its paper, its start, and that it learns."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, assert_learns_one_image

from baselines.post_processing.vnet import Level, Stage, VNet
from bench.errors import BenchError


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_receptive_fields_are_the_ones_of_the_paper():
    """Table 1: 5, 22, 72, 172 and 372 voxels on the way down. One feature in 2D has the geometry of many in 3D."""
    method = VNet(dims=2, width=1)
    for parameter in method.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    sizes = {}

    def keep(module, given, found):
        sizes[module] = found

    stages = [method.first]
    level = method.levels
    while level is not None:
        stages.append(level.coarser[0])
        level = level.coarser[1] if len(level.coarser) > 1 else None
    for stage in stages:
        stage.register_forward_hook(keep)
    z = torch.ones(1, 1, 16, 448, dtype=torch.float64, requires_grad=True)
    method.double().network(z)
    found = []
    for stage in stages:
        features = sizes[stage]
        (gradient,) = torch.autograd.grad(features[0, 0, 0, features.shape[-1] // 2], z, retain_graph=True)
        columns = gradient[0, 0].abs().sum(0).nonzero()
        found.append(int(columns.max() - columns.min()) + 1)
    assert found == [5, 22, 72, 172, 372]


def test_features_and_convolutions_are_the_ones_of_the_paper():
    """16 to 256 features on the way down, 256 to 32 on the way up, and the parameters that follow."""
    with torch.device("meta"):
        method = VNet(dims=3, width=16, folded=False)
    stages = [module for module in method.modules() if isinstance(module, Stage)]
    down = [stage for stage in stages if not any(stage is level.joined for level in levels(method))]
    shapes = [(stage.branch[-1].out_channels, (len(stage.branch) + 1) // 2) for stage in down]
    assert shapes == [(16, 1), (32, 2), (64, 3), (128, 3), (256, 3)]
    up = [(level.joined.branch[-1].out_channels, (len(level.joined.branch) + 1) // 2) for level in levels(method)]
    assert up == [(32, 1), (64, 2), (128, 3), (256, 3)]

    def stage(width, convolutions, inputs=None):
        first, units = inputs or width, convolutions * width
        return 125 * width * (first + (convolutions - 1) * width) + convolutions * width + units

    expected = stage(16, 1, 1) + sum(stage(*shape) for shape in [*shapes[1:], *up])
    for width, coarse in ((16, 64), (32, 128), (64, 256), (128, 256)):
        expected += 8 * width * 2 * width + 2 * (2 * width)  # down, with biases and units
        expected += 8 * coarse * width + 2 * width  # up
    assert sum(p.numel() for p in method.parameters()) == expected + 32 + 1


def levels(method):
    return [module for module in method.modules() if isinstance(module, Level)]


def test_a_stage_learns_a_residual():
    """With filters of zero a stage is its unit, and an input of fewer channels is repeated."""
    stage = Stage(2, 4, 2)
    for parameter in stage.branch.parameters():
        torch.nn.init.zeros_(parameter)
    u = torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        assert torch.equal(stage(u), stage.unit(u))
    first = Stage(2, 5, 1, inputs=2)
    for parameter in first.branch.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        assert torch.equal(first(u[:, :2]), first.unit(u[:, [0, 1, 0, 1, 0]]))


@pytest.mark.parametrize("folded", [True, False])
def test_it_starts_as_direct_on_any_size(folded):
    y = torch.randn(1, 1, 9, 17, 6)
    with torch.no_grad():
        assert torch.equal(VNet(dims=3, width=2, levels=2, folded=folded)(y, Denoising()), y)


def test_levels_beyond_the_paper_are_one_line():
    with pytest.raises(BenchError, match=r"levels=5 is not among 0, ..., 4"):
        VNet(levels=5)


def test_it_does_not_depend_on_the_unit():
    method = VNet(width=4, levels=2)
    torch.nn.init.normal_(method.last.weight, std=0.1)
    assert_equivariant_to_the_unit(method)


def test_it_learns_one_image():
    assert_learns_one_image(VNet(width=4, levels=1), rate=5e-3, share=0.5)
