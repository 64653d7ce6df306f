"""Networks that correct the direct reconstruction: sizes and identities of each, and that all of them learn."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, assert_learns_one_image, box_blur

from baselines.networks.unet import unet
from baselines.post_processing.cascaded_unets import CascadedUNets
from baselines.post_processing.framelet_unet import FrameletUNet, haar, haar_inverse
from baselines.post_processing.lm_resnet import LMResNet
from baselines.post_processing.red_cnn import RedCNN
from baselines.post_processing.resnet import Poly, ResNet, Rev
from baselines.post_processing.segnet import SegNet, pool, unpool
from bench.errors import BenchError

SMALL = {
    "red_cnn": lambda: RedCNN(width=4),
    "resnet": lambda: ResNet(width=8, blocks=2),
    "resnet, poly": lambda: ResNet(width=8, blocks=2, block="poly"),
    "resnet, rev": lambda: ResNet(width=8, blocks=2, block="rev"),
    "lm_resnet": lambda: LMResNet(width=8, blocks=3),
    "cascaded_unets": lambda: CascadedUNets(width=4, levels=2),
    "segnet": lambda: SegNet(width=8, levels=2),
    "framelet_unet": lambda: FrameletUNet(width=8, levels=2),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", SMALL)
def test_it_starts_as_direct(name):
    y = torch.randn(2, 1, 23, 22)
    with torch.no_grad():
        assert torch.equal(SMALL[name]()(y, Denoising()), y)


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_one_image(name):
    assert_learns_one_image(SMALL[name](), rate=5e-3, share=0.5)


@pytest.mark.parametrize("name", SMALL)
def test_it_does_not_depend_on_the_unit(name):
    method = SMALL[name]().eval()
    for parameter in method.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.05)
    assert_equivariant_to_the_unit(method)


def test_red_cnn_has_the_parameters_of_the_paper_at_its_width():
    assert sum(p.numel() for p in RedCNN(width=96).parameters()) == 1_848_865


def test_the_layers_of_red_cnn_shrink_the_image_and_restore_it():
    method, sizes = RedCNN(width=2), []
    for layer in (*method.encoder, *method.decoder):
        layer.register_forward_hook(lambda module, given, found: sizes.append(found.shape[-1]))
    with torch.no_grad():
        method(torch.rand(1, 1, 30, 30), Denoising())
    assert sizes == [26, 22, 18, 14, 10, 14, 18, 22, 26, 30]


def test_a_multistep_network_with_gamma_zero_is_the_residual_network():
    plain, multistep = ResNet(width=8, blocks=3), LMResNet(width=8, blocks=3)
    torch.nn.init.normal_(plain.network.body[-1].weight)
    names = {name.replace(".branch.", "."): value for name, value in plain.state_dict().items()}
    state = {name: names.get(name.replace(".branches.", "."), value) for name, value in multistep.state_dict().items()}
    multistep.load_state_dict(state)
    y = torch.rand(1, 1, 12, 10)
    with torch.no_grad():
        assert torch.equal(plain(y, Denoising()), multistep(y, Denoising()))
        multistep.network.body[2].gamma.fill_(-0.1)
        assert not torch.allclose(plain(y, Denoising()), multistep(y, Denoising()))


def test_a_reversible_block_is_inverted_and_polynets_is_its_polynomial():
    rev, poly, u = Rev(2, 6), Poly(2, 6), torch.randn(2, 6, 5, 7)
    with torch.no_grad():
        assert torch.allclose(rev.inverse(rev(u)), u, atol=1e-5)
        assert torch.allclose(poly(u), u + poly.branch(u) + poly.branch(poly.branch(u)), atol=1e-6)


def test_an_unknown_block_is_one_line():
    with pytest.raises(BenchError, match="block=dense is none of residual, poly, rev"):
        ResNet(block="dense")


def test_cascades_have_weights_of_their_own_and_their_loss_is_of_all_images():
    one = sum(p.numel() for p in unet(1, 1, 2, 4, 2).parameters())
    method, physics = CascadedUNets(cascades=3, width=4, levels=2), box_blur(3)
    assert sum(p.numel() for p in method.parameters()) == 3 * one
    for network in method.networks:
        torch.nn.init.normal_(network.body[-1].weight, std=0.1)
    x = torch.rand(2, 1, 16, 16)
    y = physics.A(x)
    method.log = lambda *_, **__: None
    errors = [torch.nn.functional.mse_loss(x_k, x) for x_k in method.images(y, physics)]
    assert len(set(errors)) == 3
    assert torch.allclose(method.training_step((x, y, physics), 0), sum(errors) / 3)


@pytest.mark.parametrize("shape", [(2, 3, 6, 8), (2, 3, 4, 6, 8)])
def test_segnet_puts_maxima_back_to_their_places(shape):
    u = torch.randn(shape)
    values, places = pool(u)
    name = "max_pool2d" if len(shape) == 4 else "max_pool3d"
    assert torch.equal(values, getattr(torch.nn.functional, name)(u, 2))
    back = unpool(values, places)
    assert torch.equal(back, torch.where(back != 0, u, 0))
    assert int((back != 0).sum()) == values.numel()


@pytest.mark.parametrize("shape", [(2, 3, 6, 8), (2, 3, 4, 6, 8)])
def test_framelets_reconstruct_perfectly_and_keep_the_norm(shape):
    u = torch.randn(shape, dtype=torch.float64)
    low, high = haar(u)
    assert torch.allclose(haar_inverse(low, high), u)
    assert torch.allclose(low.square().sum() + high.square().sum(), u.square().sum())
    assert torch.allclose(
        low, torch.nn.functional.interpolate(u, scale_factor=0.5, mode="area") * 2 ** (u.ndim / 2 - 1)
    )
