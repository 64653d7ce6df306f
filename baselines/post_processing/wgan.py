"""min_G max_D E D(x) − E D(G(d)) − λ_p E (‖∇D‖ − 1)² + λ_v E ‖φ(G(d)) − φ(x)‖²/|φ|,   x_hat = G(d),   d = D(y)

A generator G improves the direct reconstruction d. A critic D learns how far the generated images are from true ones,
by the Wasserstein distance; its gradient is held near norm one between the two. A perceptual loss compares features φ
of images in place of pixels, which would favour smooth images. Each step is four of the critic and one of the
generator. G has eight convolutions of 3x3 pixels with ReLUs, of 32 features: 56,097 parameters. The critic has six
convolutions of 64, 64, 128, 128, 256 and 256 features, every second of which halves the resolution, and two fully
connected layers; it is not part of the reconstruction.

**The features are random.** The paper's are of a VGG network that learned photographs, which is not downloaded here.
φ are the last features of six convolutions of random weights, which nothing trains; such features still hold an image
(He et al.). The paper's scores are not to be expected of them.

Five more things differ from the paper. G(d) = d + N(d), where N's last layer starts at zero and has no ReLU, so that
the untrained network is d; images are normalised. The critic's fully connected layers see the mean of its features, so
that images may have any size, and the default has a quarter of the features. The four steps of the critic are on one
batch. The step size is larger. And the weight λ_v is for random features; it was set by hand on `ct:mini`.

Q. Yang et al., Low-dose CT image denoising using a generative adversarial network with Wasserstein distance and
perceptual loss, IEEE TMI 2018.
I. Gulrajani et al., Improved training of Wasserstein GANs, NIPS 2017.
K. He, Y. Wang, J. Hopcroft, A powerful generative model using random weights for the deep image representation, NIPS
2016.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, ClassVar

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from baselines.networks.correction import corrected
from baselines.networks.normalisation import Normalisation
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct
from bench.contract.task import Track

LAYERS, WIDTH = 8, 32  # of the generator
CRITIC_STEPS = 4  # for each of the generator, as in the paper
GRADIENT_PENALTY = 10.0  # λ_p, as in the paper
PERCEPTUAL = 100.0  # λ_v
MOMENTS = (0.5, 0.9)  # Adam's, as in the paper
SLOPE = 0.2  # of leaky ReLUs
HIDDEN = 1024  # of the critic's fully connected layer


class WGAN(LearnedMethod):
    """``critic``: features of the critic's first layer, 64 in the paper."""

    gradient_clip: ClassVar[float | None] = None

    def __init__(self, channels: int = 1, critic: int = 16) -> None:
        super().__init__()
        self.automatic_optimization = False
        widths = [channels, *[WIDTH] * (LAYERS - 1), channels]
        self.generator = nn.Sequential()
        for inputs, outputs in pairwise(widths):
            self.generator.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            self.generator.append(nn.ReLU())
        del self.generator[-1]
        for parameter in self.generator[-1].parameters():
            nn.init.zeros_(parameter)
        self.critic = Critic(channels, critic).requires_grad_(False)  # but where it learns
        self.perception = perception(channels)

    @classmethod
    def supports(cls, track: Track) -> str | None:
        return None if track.dims == 2 else "its critic and its filters are made for images, not for volumes"

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), self.generator)

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        x, y, physics = batch
        d = direct(y, physics)
        normalisation = Normalisation(d)
        true, z = normalisation.normalise(x), normalisation.normalise(d)
        mean = z.mean(dim=(2, 3), keepdim=True)
        made = z + self.generator(z - mean)
        optimizers: Any = self.optimizers()
        self.critic.requires_grad_(True)
        for _ in range(CRITIC_STEPS):
            distance, penalty = self.distance_and_penalty(made.detach(), true)
            self.move(optimizers[1], GRADIENT_PENALTY * penalty - distance)
        self.critic.requires_grad_(False)
        perceptual = mse_loss(self.perception(made), self.perception(true))
        loss = PERCEPTUAL * perceptual - self.critic(made).mean()
        self.move(optimizers[0], loss)
        schedulers: Any = self.lr_schedulers()
        for scheduler in schedulers:
            scheduler.step()
        self.log_dict({"distance": distance.detach(), "perceptual_loss": perceptual.detach()})
        return loss.detach()

    def distance_and_penalty(self, made: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
        """E D(x) − E D(G(d)), and the mean of (‖∇D‖ − 1)² at random points between the images of each pair."""
        share = torch.rand(len(true), 1, 1, 1, device=true.device, dtype=true.dtype)
        between = (share * true + (1 - share) * made).requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        return self.critic(true).mean() - self.critic(made).mean(), penalty

    def move(self, optimizer: Any, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def configure_optimizers(self) -> Any:
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        optimizers = [
            torch.optim.Adam(network.parameters(), lr=self.learning_rate, betas=MOMENTS)
            for network in (self.generator, self.critic)
        ]

        def factor(step: int) -> float:
            return 0.5 * (1 + math.cos(math.pi * step / steps))

        return optimizers, [torch.optim.lr_scheduler.LambdaLR(one, factor) for one in optimizers]


class Critic(nn.Module):
    """One number for each image (B, C, H, W), of any size: (B,)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        widths = [channels, width, width, 2 * width, 2 * width, 4 * width, 4 * width]
        self.convolutions = nn.Sequential()
        for number, (inputs, outputs) in enumerate(pairwise(widths)):
            self.convolutions.append(nn.Conv2d(inputs, outputs, 3, stride=1 + number % 2, padding=1))
            self.convolutions.append(nn.LeakyReLU(SLOPE))
        self.dense = nn.Sequential(nn.Linear(4 * width, HIDDEN), nn.LeakyReLU(SLOPE), nn.Linear(HIDDEN, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.convolutions(x).mean((2, 3))).squeeze(1)


def perception(channels: int) -> nn.Sequential:
    """φ: six convolutions of random weights that keep the variance, and two halvings; nothing of it is trained."""
    layers = nn.Sequential()
    for number, (inputs, outputs) in enumerate(pairwise([channels, 32, 32, 64, 64, 128, 128])):
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        layers.append(convolution)
        layers.append(nn.ReLU())
        if number in (1, 3):
            layers.append(nn.AvgPool2d(2))
    return layers.requires_grad_(False)
