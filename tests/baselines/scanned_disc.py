"""A disc in a scanner, and the rays that metal starves of photons."""

import torch

from tasks.physics.ct import CT
from tasks.physics.projector import Geometry

SIDE = 64
STARVED = 40.0  # a line integral through metal; the ones of the disc go up to 11


def scan():
    return CT(Geometry.parallel(SIDE, 60))


def disc(radius, row=0.0, column=0.0):
    side = torch.arange(SIDE) - (SIDE - 1) / 2
    return ((side[:, None] - row) ** 2 + (side - column) ** 2 < radius**2).float()[None, None]
