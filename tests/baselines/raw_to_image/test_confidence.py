"""Networks that tell how sure they are: how they learn, their unit, and what their deviation is."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_learns_one_image, box_blur

from baselines.post_processing.unet import UNet
from baselines.raw_to_image.ensemble import Ensemble
from baselines.raw_to_image.ista_net import IstaNet
from baselines.raw_to_image.learned_primal_dual import LearnedPrimalDual
from baselines.raw_to_image.learned_variance import LearnedVariance
from baselines.raw_to_image.mc_dropout import MCDropout
from bench.contract.construct import build
from bench.contract.method import LearnedMethod
from bench.contract.registry import load_method, track
from bench.errors import BenchError

METHODS = {"ensemble": Ensemble, "mc_dropout": MCDropout, "learned_variance": LearnedVariance}


def small(network):
    return {"unet": lambda: UNet(width=4, levels=1), "lpd": lambda: LearnedPrimalDual(iterations=2, width=8)}[network]()


class TwoRates(UNet):
    def parameter_groups(self):
        return [{"params": self.parameters(), "lr": 1e-4}]


def made(name, network="unet"):
    """A method whose last layers, which begin at zero, do something."""
    torch.manual_seed(0)
    method = METHODS[name](small(network))
    for parameter in method.parameters():
        if not bool(parameter.any()):
            torch.nn.init.normal_(parameter, std=0.05)
    method.log = lambda *a, **k: None
    return method.eval()


@pytest.mark.parametrize("network", ["unet", "lpd"])
@pytest.mark.parametrize("name", METHODS)
def test_image_and_deviation_have_the_unit_of_the_measurement(name, network):
    method, physics, y = made(name, network), box_blur(3), torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        found = []
        for unit in (1.0, 1e-3):
            torch.manual_seed(1)
            found.append(method(unit * y, physics))
    assert torch.allclose(found[1].image, 1e-3 * found[0].image, rtol=1e-3, atol=1e-7)
    assert torch.allclose(found[1].std, 1e-3 * found[0].std, rtol=1e-2, atol=1e-7)
    assert float(found[0].std.min()) > 0


def test_a_network_with_channels_left_out_learns():
    torch.manual_seed(0)
    assert_learns_one_image(MCDropout(UNet(width=8, levels=1)).train(), 3e-3, 0.8)


def test_the_variance_of_noise_that_depends_on_the_place_is_learned():
    """R can only scale the image, so that σ becomes the deviation of the noise; V reads from the image where it is."""

    class Same(LearnedMethod):
        def __init__(self):
            super().__init__()
            self.gain = torch.nn.Parameter(torch.ones(()))

        def forward(self, y, physics):
            return self.gain * y

    torch.manual_seed(0)
    method = LearnedVariance(Same())
    optimizer = torch.optim.Adam(method.parameters(), lr=5e-3)
    sigma = torch.cat([torch.full((1, 1, 8, 8), 0.3), torch.full((1, 1, 8, 8), 0.05)], 3)
    for _ in range(200):
        x = torch.cat([torch.full((4, 1, 8, 8), 1.0), torch.full((4, 1, 8, 8), 4.0)], 3)
        loss = method.loss(method(x + sigma * torch.randn(x.shape), Denoising()), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        std = method(x[:1] + sigma * torch.randn(sigma.shape), Denoising()).std
    assert float(std[..., 2:6].mean()) == pytest.approx(0.3, rel=0.25)
    assert float(std[..., 10:14].mean()) == pytest.approx(0.05, rel=0.25)


def test_the_loss_of_a_variance_is_the_gaussian_likelihood():
    from bench.contract.method import Estimate

    image, x, std = torch.rand(3, 2, 1, 4, 4).unbind()
    expected = -torch.distributions.Normal(image, std + 0.1).log_prob(x).mean() - 0.5 * torch.log(
        torch.tensor(6.2831853)
    )
    assert LearnedVariance(small("unet")).loss(Estimate(image, std=std + 0.1), x) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_members_begin_differently_and_learn_in_turn():
    torch.manual_seed(0)
    method = Ensemble(small("unet"), members=3)
    method.log = lambda *a, **k: None
    first, second, _ = method.members
    before, after = first.state_dict(), second.state_dict()
    random = [name for name in before if name.endswith("weight") and bool(before[name].any())]
    assert random
    assert not any(torch.equal(before[name], after[name]) for name in random)
    last = [name for name in before if not bool(before[name].any())]
    assert last
    assert not any(bool(after[name].any()) for name in last)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    x = torch.rand(1, 1, 8, 8)
    for step in range(4):
        kept = [[p.clone() for p in member.parameters()] for member in method.members]
        optimizer.zero_grad()
        method.training_step((x, x + 0.1, Denoising()), step).backward()
        optimizer.step()
        moved = [
            any(not torch.equal(p, q) for p, q in zip(member.parameters(), old, strict=True))
            for member, old in zip(method.members, kept, strict=True)
        ]
        assert moved == [index == step % 3 for index in range(3)]


def test_an_ensemble_is_the_mean_and_the_deviation_of_its_members():
    method, y = made("ensemble"), torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        found, images = method(y, Denoising()), [member(y, Denoising()) for member in method.members]
    mean = sum(images) / 4
    variance = sum((image - mean) ** 2 for image in images) / 3
    assert torch.allclose(found.image, mean)
    assert torch.allclose(found.std, variance.sqrt(), atol=1e-6)


def test_channels_are_left_out_in_the_test_too_by_seeded_numbers():
    method, y = made("mc_dropout"), torch.rand(1, 1, 8, 8)
    found = []
    with torch.no_grad():
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            found.append(method(y, Denoising()))
    assert torch.equal(found[0].image, found[1].image)
    assert torch.equal(found[0].std, found[1].std)
    assert not torch.equal(found[0].image, found[2].image)
    seen = []
    method.network.network.body[1].register_forward_hook(lambda layer, inputs, out: seen.append((inputs[0], out)))
    with torch.no_grad():
        for _ in range(40):
            method.network(y + 1, Denoising())
    left_out = [(out == 0).flatten(2).all(2) & (before > 0).flatten(2).any(2) for before, out in seen]
    alive = [(before > 0).flatten(2).any(2) for before, _ in seen]
    share = sum(float(one.sum()) for one in left_out) / sum(float(one.sum()) for one in alive)
    assert 0 < share < 0.2
    whole = [before.relu() / 0.95 for before, _ in seen]
    assert all(
        torch.allclose(out, one * ~gone[..., None, None])
        for (_, out), one, gone in zip(seen, whole, left_out, strict=True)
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("network", "reason"), [("tv", "no network"), ("cascaded_unets", "a way of its own")])
def test_a_method_that_is_no_plain_network_is_refused(name, network, reason):
    with pytest.raises(BenchError, match=reason):
        build(load_method(name), track("denoising"), {"network": network})


def test_other_refusals():
    with pytest.raises(BenchError, match="two members or more"):
        Ensemble(small("unet"), members=1)
    with pytest.raises(BenchError, match="between 0 and 1"):
        MCDropout(small("unet"), probability=1.0)
    with pytest.raises(BenchError, match="a way of its own"):
        LearnedVariance(IstaNet())
    with pytest.raises(BenchError, match="a way of its own"):
        Ensemble(TwoRates(width=4, levels=1))
    with pytest.raises(BenchError, match="cannot be the inner method"):
        build(load_method("ensemble"), track("denoising"), {"network": "learned_variance"})
