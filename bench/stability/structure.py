"""A small structure that must survive: a letter is added to an image, and its contrast is sought in the reconstruction.

V. Antun, F. Renna, C. Poon, B. Adcock, A. Hansen, On instabilities of deep learning in image reconstruction and the
potential costs of AI, PNAS 117(48), 2020, add text and symbols in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

LETTER = ("11111", "10000", "10000", "11110", "10000", "10000", "11111")
SIDE = 96  # pixels of an image whose letter has strokes of one pixel; larger images have wider ones


def letter(shape: Sequence[int], rng: np.random.Generator) -> Tensor:
    """Ones on a letter E somewhere in the middle third of an image (1, C, H, W) or (1, C, D, H, W), else zeros.

    It stands in the first channel, the real part of a complex image, and in the three middle slices of a volume.
    """
    rows, columns = shape[-2:]
    bitmap = np.array([[int(pixel) for pixel in row] for row in LETTER], dtype=np.float32)
    width = max(1, round(min(rows, columns) / SIDE))
    bitmap = bitmap.repeat(width, 0).repeat(width, 1)[:rows, :columns]
    height, breadth = bitmap.shape
    top = int(rng.integers(rows // 3, max(rows // 3, 2 * rows // 3 - height) + 1))
    left = int(rng.integers(columns // 3, max(columns // 3, 2 * columns // 3 - breadth) + 1))
    top, left = min(top, rows - height), min(left, columns - breadth)
    image = torch.zeros(tuple(shape))
    middle = image[0, 0] if len(shape) == 4 else image[0, 0, shape[2] // 2 - 1 : shape[2] // 2 + 2]
    middle[..., top : top + height, left : left + breadth] = torch.from_numpy(bitmap)
    return image


def kept_contrast(with_structure: Tensor, without: Tensor, structure: Tensor) -> float:
    """The share of a structure's contrast that two reconstructions differ by, in percent: 100 where all survives.

    ⟨f(y + A s) − f(y), s − m⟩ / ⟨s, s − m⟩ with m the mean of s over its surroundings: a change of the background
    level is no structure.
    """
    around = surroundings(structure)
    difference = (with_structure - without)[around].double()
    s = structure[around].double()
    centred = s - s.mean()
    return float(100 * (difference * centred).sum() / (s * centred).sum())


def surroundings(structure: Tensor) -> Tensor:
    """The box around a structure and a margin of as many pixels as half its extent, as a mask."""
    inside = torch.zeros_like(structure, dtype=torch.bool)
    box = []
    for axis, place in enumerate(structure.nonzero().T):
        low, high = int(place.min()), int(place.max())
        margin = (high - low + 1) // 2 if axis >= 2 else 0
        box.append(slice(max(0, low - margin), high + margin + 1))
    inside[tuple(box)] = True
    return inside
