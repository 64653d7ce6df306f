"""The Wasserstein GAN: its size, its start, its penalty by a closed form, and who learns in a step."""

import pytest
import torch
from deepinv.physics import Denoising
from learning import assert_equivariant_to_the_unit, box_blur, fit

from baselines.post_processing.wgan import WGAN, Critic, perception


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_the_generator_has_the_parameters_of_the_paper_and_alone_counts():
    assert sum(p.numel() for p in WGAN().generator.parameters()) == 56_097
    assert sum(p.numel() for p in WGAN().parameters() if p.requires_grad) == 56_097


def test_the_critic_of_the_paper_but_for_its_first_dense_layer():
    """3x3 convolutions of 64 to 256 features, with steps of 1 and 2 in turn."""
    critic = Critic(1, 64)
    convolutions = [layer for layer in critic.convolutions if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 64, 128, 128, 256, 256]
    assert [layer.stride[0] for layer in convolutions] == [1, 2, 1, 2, 1, 2]
    with torch.no_grad():
        assert critic.convolutions(torch.rand(1, 1, 64, 64)).shape == (1, 256, 8, 8)
        assert critic(torch.rand(3, 1, 13, 18)).shape == (3,)


def test_it_starts_as_direct():
    y = torch.randn(2, 1, 13, 16)
    with torch.no_grad():
        assert torch.equal(WGAN()(y, Denoising()), y)


def test_of_a_linear_critic_distance_and_penalty_are_known():
    """D(x) = ⟨w, x⟩: its gradient is w everywhere, and the distance ⟨w, x − x_hat⟩."""
    w = torch.randn(1, 1, 6, 6)

    class Linear(torch.nn.Module):
        def forward(self, x):
            return (w * x).sum((1, 2, 3))

    method = WGAN()
    method.critic = Linear()
    true, made = torch.randn(4, 1, 6, 6), torch.randn(4, 1, 6, 6)
    distance, penalty = method.distance_and_penalty(made, true)
    assert torch.allclose(distance, (w * (true - made).mean(0)).sum(), atol=1e-5)
    assert torch.allclose(penalty, (w.norm() - 1).square())


def test_random_features_tell_images_apart_and_are_never_trained():
    features, x = perception(1), torch.rand(1, 1, 16, 16)
    assert not any(p.requires_grad for p in features.parameters())
    found = features(x)
    assert found.shape == (1, 128, 4, 4)
    slight, strong = (features(x + s * torch.randn_like(x)) for s in (0.05, 0.5))
    assert 0 < (slight - found).square().mean() < (strong - found).square().mean()


def test_a_step_moves_the_critic_four_times_and_the_generator_once():
    physics = box_blur(3)
    x = torch.rand(2, 1, 16, 16)
    moves = {"generator": 0, "critic": 0}

    class Watched(WGAN):
        def move(self, optimizer, loss):
            before = {name: flat(getattr(self, name)) for name in moves}
            super().move(optimizer, loss)
            for name, value in before.items():
                moves[name] += not torch.equal(value, flat(getattr(self, name)))

    method = Watched(critic=4)
    random = flat(method.perception)
    fit(method, [(x, physics.A(x), physics)] * 2)
    assert moves == {"generator": 2, "critic": 8}
    assert torch.equal(flat(method.perception), random)
    assert not any(p.requires_grad for p in method.critic.parameters())


def test_the_generator_nears_the_true_image_in_its_features_and_the_critic_keeps_its_slope():
    physics = box_blur(5)
    x = torch.nn.functional.interpolate(torch.rand(1, 1, 4, 4), scale_factor=4)
    y = physics.A(x)
    losses, penalties = [], []

    class Watched(WGAN):
        learning_rate = 5e-3

        def distance_and_penalty(self, made, true):
            distance, penalty = super().distance_and_penalty(made, true)
            penalties.append(penalty.item())
            return distance, penalty

        def log_dict(self, values):
            losses.append(values["perceptual_loss"].item())

    fit(Watched(critic=4), [(x, y, physics)] * 15)
    assert losses[-1] < 0.6 * losses[0]
    assert penalties[0] > 0.9  # an untrained critic is nearly flat
    assert penalties[-1] < 0.3


def flat(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_it_does_not_depend_on_the_unit():
    method = WGAN()
    torch.nn.init.normal_(method.generator[-1].weight, std=0.05)
    assert_equivariant_to_the_unit(method)
