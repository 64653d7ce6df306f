"""The part of an object that a finding should come from: ``f(x, target) -> mask``, x (1, C, H, W), mask (H, W)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from scipy import ndimage
from torch import Tensor

LUNG = 0.12  # 1/cm, between inflated lung (0.05) and fat (0.18)
LARGEST = 3.0  # cm, of a nodule: what closes over one that touches the wall
FIELD = 40.0  # cm, the side of a slice


def lungs(x: Tensor, target: Mapping[str, Tensor] | None) -> Tensor:
    """Air and lung inside the body, with the vessels and nodules in them and at their wall.

    As is usual for CT the lungs are found by a threshold, filled and closed, here by a disc of the largest nodule.
    S. Hu, E. Hoffman, J. Reinhardt, Automatic lung segmentation for accurate quantitation of volumetric X-ray CT
    images, IEEE TMI 20(6), 2001.
    """
    thin = x[0, 0].numpy() < LUNG
    kinds, _ = ndimage.label(thin)
    border = set(kinds[[0, -1]].ravel()) | set(kinds[:, [0, -1]].ravel())
    inside = thin & ~torch.isin(torch.from_numpy(kinds), torch.tensor(sorted(border))).numpy()
    radius = max(1, round(LARGEST / 2 / FIELD * len(thin)))
    return torch.from_numpy(ndimage.binary_fill_holes(ndimage.binary_closing(inside, disc(radius))))


def tissues(x: Tensor, target: Mapping[str, Tensor] | None) -> Tensor:
    """The pixels of all classes of the target."""
    assert target is not None
    return target["map"][0].amax(0) > 0.5


def disc(radius: int):
    """A disc of a radius in pixels, as a mask."""
    offsets = torch.arange(-radius, radius + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius**2).numpy()
