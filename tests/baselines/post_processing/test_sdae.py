"""The stacked denoising autoencoder: its patches, its start, and what each stage of its training moves."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, box_blur, fit

from baselines.post_processing.sdae import SDAE, average, patches


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(2, 2, 16, 24), (2, 1, 8, 12, 8)])
def test_patches_are_cut_out_and_their_average_is_the_image(shape):
    side = 8 if len(shape) == 4 else 4
    x = torch.randn(shape)
    rows = patches(x, side)
    place = tuple(slice(side // 2, side // 2 + side) for _ in shape[2:])
    second = (1,) * (len(shape) - 2)
    assert torch.equal(rows[(1, *second)], x[(1, slice(None), *place)].flatten())
    assert torch.allclose(average(rows, side, x.shape), x, atol=1e-6)


def test_where_patches_differ_a_pixel_is_their_mean():
    """One patch of ones among zeros: a corner is in it alone, its centre in one more, its inside in four."""
    rows = torch.zeros(1, 3, 3, 64)
    rows[0, 0, 0] = 1
    image = average(rows, 8, torch.Size((1, 1, 16, 16)))[0, 0]
    assert float(image[0, 0]) == 1
    assert float(image[0, 5]) == float(image[5, 0]) == 0.5
    assert float(image[5, 5]) == 0.25
    assert float(image[8:].abs().max()) == 0


def test_untrained_it_is_direct_also_with_four_layers():
    y = torch.randn(2, 1, 23, 22)
    for layers in (1, 4):
        with torch.no_grad():
            assert torch.allclose(SDAE(layers=layers)(y, Denoising()), y, atol=1e-5)


def test_with_a_negative_bias_the_first_layer_is_soft_thresholding_in_a_tight_frame():
    method, t = SDAE(layers=1, redundancy=3), 0.3
    layer = method.layers[0]
    frame = layer.encoder.weight[: len(layer.encoder.weight) // 2]
    assert torch.allclose(frame.T @ frame, torch.eye(64), atol=1e-5)
    torch.nn.init.constant_(layer.encoder.bias, -t)
    u = torch.randn(5, 64)
    coefficients = u @ frame.T
    expected = torch.nn.functional.softshrink(coefficients, t) @ frame
    with torch.no_grad():
        assert torch.allclose(layer.decode(layer.encode(u)), expected, atol=1e-5)


def test_a_layer_is_trained_on_the_codes_of_the_layers_below():
    method, physics = SDAE(), Denoising()
    x = torch.rand(1, 1, 16, 16)
    y = x + 0.1 * torch.randn_like(x)
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    (first, second), scale = method.layers, y.square().mean().sqrt()

    def code(image):
        rows = (image - y.mean())[0, 0].unfold(0, 8, 4).unfold(1, 8, 4).reshape(-1, 64) / scale
        return (rows @ first.encoder.weight.T + first.encoder.bias).relu()

    deeper = (code(y) @ second.encoder.weight.T + second.encoder.bias).relu()
    decoded = (deeper @ second.decoder.weight.T + second.decoder.bias).relu()
    with torch.no_grad():
        assert torch.allclose(method.layer_loss(1, x, y, physics), (decoded - code(x)).square().mean(), rtol=1e-4)


def test_layers_learn_one_after_another_and_then_together():
    """Six steps for each layer, with the other one as it was, and twelve for both. Each stage lowers its loss."""
    physics = box_blur(5)
    x = torch.nn.functional.interpolate(torch.rand(4, 1, 4, 4), scale_factor=4)
    moved, losses = [], []

    class Watched(SDAE):
        def training_step(self, batch, index):
            before = [parameter.clone() for parameter in self.layers.parameters()]
            loss = super().training_step(batch, index)
            losses.append(loss.item())
            changed = [not torch.equal(*pair) for pair in zip(before, self.layers.parameters(), strict=True)]
            moved.append((any(changed[:4]), any(changed[4:])))
            return loss

    steps = 24
    method = Watched()
    fit(method, [(x, physics.A(x), physics)] * steps)
    quarter = steps // 4
    assert moved == [(True, False)] * quarter + [(False, True)] * quarter + [(True, True)] * 2 * quarter
    assert losses[quarter - 1] < losses[0]
    assert losses[2 * quarter - 1] < losses[quarter]
    assert losses[-1] < 0.8 * losses[2 * quarter]


def test_equivariant_to_the_unit():
    method = SDAE()
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    assert_equivariant_to_the_unit(method)
