"""SENSE against dense linear algebra."""

import numpy as np
import torch

from baselines.handcrafted.sense import Sense
from bench.contract.toy_operators import toys


def toy(name):
    return next(toy for toy in toys() if toy.track.name == name)


def test_sense_is_the_regularised_least_squares_solution():
    multicoil = toy("multicoil")
    y, physics = multicoil.one(0)
    shape = physics.A_adjoint(y).shape[1:]
    basis = torch.eye(int(np.prod(shape))).reshape(-1, 1, *shape)
    A = torch.stack([physics.A(e).flatten() for e in basis], 1).double()
    expected = torch.linalg.solve(A.T @ A + 0.05 * torch.eye(A.shape[1]), A.T @ y.flatten().double())
    found = Sense(0.05, 200)(y, physics)
    assert torch.allclose(found.flatten().double(), expected, atol=1e-4)
