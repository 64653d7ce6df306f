"""Trainings on the toy task, whole or killed on their way, and methods that learn in ways of their own."""

import random

import numpy as np
import pytest
import torch
import toy

from bench.contract.method import LearnedMethod
from bench.data.measurements import Measured
from bench.evaluation.evaluate import mean_score
from bench.evaluation.train import train as fit


def train(method, track=toy.MINI, seed=0, **options):
    return fit(method, track, toy.open_track(track), seed=seed, **options)


def validation(method, track=toy.MINI):
    data = Measured(track, toy.open_track(track), "val", track.budget.images)
    return mean_score(method, track, data, range(len(data)), torch.device("cpu"))


class Average(LearnedMethod):
    """Learns the mean of the images, without gradients, and gives it back for every measurement."""

    gradient_clip = None

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.register_buffer("total", torch.zeros(1, 1, 1, 1))
        self.register_buffer("steps", torch.tensor(0))

    def configure_optimizers(self):
        return []

    def training_step(self, batch, index):
        x, _, _ = batch
        self.total += x.mean()
        self.steps += 1
        return (self.total / self.steps - x).square().mean()

    def forward(self, y, physics):
        return (self.total / self.steps).expand_as(y)


class Killed(Exception):
    pass


class Drawing(LearnedMethod):
    """A network whose training draws from every global generator."""

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, y, physics):
        return y + self.network(y)

    def loss(self, x_hat, x):
        drawn = torch.rand(()) + np.random.random() + random.random()  # noqa: NPY002
        return drawn.float() * (x_hat - x).square().mean()


class Adversarial(LearnedMethod):
    """A toy GAN: two networks with an optimiser each, which takes its own steps; the training returns no loss."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.critic = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, 2), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 3))

    def configure_optimizers(self):
        networks = self.generator, self.critic
        optimisers = [torch.optim.Adam(network.parameters(), lr=1e-2) for network in networks]
        return optimisers, [torch.optim.lr_scheduler.StepLR(one, 3, 0.9) for one in optimisers]

    def forward(self, y, physics):
        return y + self.generator(y)

    def training_step(self, batch, index):
        x, y, physics = batch
        softplus = torch.nn.functional.softplus
        generate, criticise = self.optimizers()
        x_hat = self(y, physics)
        losses = {"critic_loss": softplus(self.critic(x_hat.detach())).mean() + softplus(-self.critic(x)).mean()}
        criticise.zero_grad()
        self.manual_backward(losses["critic_loss"])
        criticise.step()
        losses["generator_loss"] = softplus(-self.critic(x_hat)).mean() + 10 * (x_hat - x).square().mean()
        generate.zero_grad()
        self.manual_backward(losses["generator_loss"])
        generate.step()
        for scheduler in self.lr_schedulers():
            scheduler.step()
        self.log_dict(losses)


def seeded(method):
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    return method()


def killed_after(step, method, folder, **options):
    """Start a training that ends without warning after ``step`` steps."""

    def report(stage):
        if stage.startswith(f"training {step + 1}/"):
            raise Killed

    with pytest.raises(Killed):
        train(seeded(method), partial=folder, report=report, **options)


def training_of(method, **options):
    made = seeded(method)
    record, curves = train(made, **options)
    return made.state_dict(), record, [(point.name, point.step, point.value) for point in curves]


def weights_of(method, **options):
    """The weights, as one vector, and the curves of a training from a seed."""
    weights, _, curves = training_of(method, **options)
    return torch.cat([value.flatten() for value in weights.values()]), curves
