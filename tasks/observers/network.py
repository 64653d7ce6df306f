"""p = σ(N(|x| / rms(x))):   a frozen U-Net N, from an image x to the probability of each class in each pixel

The network and its weights stay as they are, so that scores of its findings compare reconstructions and nothing else.
It shares no code with the methods: theirs may change. It was trained on true images alone and knows no artefacts, as an
observer who has been taught on good images. The rms makes it independent of the unit, |.| of the phase.

H. Barrett, K. Myers, Foundations of Image Science, 2004 (the quality of an image is the performance of an observer).
O. Ronneberger, P. Fischer, T. Brox, U-Net, MICCAI 2015.
"""

from __future__ import annotations

import hashlib
import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from bench.errors import BenchError

FOLDER = Path(__file__).parent
WIDTH, LEVELS = 8, 3  # channels at full resolution, which double with each of the halvings
RARE = -4.0  # logit before training: a class fills a small share of an image
TINY = 1e-12  # rms of a black image


class ObserverNetwork(nn.Module):
    """Images (B, C, H, W), complex where C = 2, to probabilities (B, classes, H, W)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = [WIDTH * 2**level for level in range(LEVELS + 1)]
        self.down = nn.ModuleList(convolutions(before, after) for before, after in pairwise([1, *widths]))
        self.up = nn.ModuleList(convolutions(fine + coarse, fine) for fine, coarse in pairwise(widths))
        self.last = nn.Conv2d(WIDTH, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.square().sum(1, keepdim=True).sqrt() if x.shape[1] == 2 else x
        x = x / x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=TINY)
        levels: list[Tensor] = []
        for block in self.down:
            levels.append(block(max_pool2d(levels[-1], 2) if levels else x))
        x = levels.pop()
        for block in reversed(self.up):
            fine = levels.pop()
            x = block(torch.cat([fine, interpolate(x, fine.shape[-2:])], 1))
        return torch.sigmoid(self.last(x) + RARE)


def convolutions(before: int, after: int) -> nn.Module:
    """Two convolutions, each with batch normalisation and a rectifier."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def frozen(weights: str) -> ObserverNetwork:
    """The network of the files ``weights``.npz and ``weights``.json in this folder.

    Raises `BenchError` where a file is missing, or the weights are not the ones of the manifest.
    """
    path = FOLDER / f"{weights}.npz"
    try:
        data = path.read_bytes()
        declared = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["sha256"]
    except OSError as error:
        raise BenchError(f"cannot read {error.filename}: {error.strerror}. Take it from the repository.") from None
    if hashlib.sha256(data).hexdigest() != declared:
        raise BenchError(f"{path} is not the file of its manifest (its SHA-256 differs). Take it from the repository.")
    with np.load(io.BytesIO(data)) as arrays:
        state = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays}
    network = ObserverNetwork(len(state["last.bias"]))
    network.load_state_dict(state)
    return network.requires_grad_(False).eval()
