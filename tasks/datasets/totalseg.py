"""Thirty labelled abdominal CT slices of one volume, 3 mm in all directions, of the tests of TotalSegmentator.

The labels were made by a network, with a slice or two of wrong ones at the lower border: a reference, not a truth. The
set also has twenty DICOM slices of another patient; they are compressed by JPEG 2000, which needs further packages, and
no track reads them.

J. Wasserthal et al., TotalSegmentator: robust segmentation of 104 anatomic structures in CT images, Radiology: AI 5(5),
2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.contract.task import Images
from bench.data.manifest import manifest
from tasks.datasets.reader import read

VOXEL = 0.3  # cm
CT, LABELS = "example_ct_sm.nii.gz", "example_seg.nii.gz"
AIR = -1000  # HU, around the volume
SLICES = 30
ORGANS: Mapping[str, Sequence[int]] = {  # their labels
    "liver": (5,),
    "spleen": (1,),
    "kidneys": (2, 3),
    "spine": (30, 31, 32, 33),
}


def totalseg(size: int) -> Images:
    """The slices: {"image": HU (size, size), "shares": 0 or 1 (organs, size, size)}, float64; front at the top, the
    patient's right on the left. Air is put around the slice, or cut off."""
    manifest("totalseg")  # known, or an error in one line

    def load(image: str) -> dict[str, NDArray[np.float64]]:
        z = int(image.rpartition("-")[2])
        hounsfield, labels = (_slice(read("totalseg", name)[..., z]) for name in (CT, LABELS))
        shares = np.stack([np.isin(labels, numbers) for numbers in ORGANS.values()])
        return {
            "image": framed(hounsfield.astype(np.float64), size, AIR),
            "shares": np.stack([framed(share.astype(np.float64), size, 0) for share in shares]),
        }

    return Images(tuple(f"slice-{z:02d}" for z in range(SLICES)), load, lambda image: "one volume")


def _slice(plane: NDArray) -> NDArray:
    """A plane with axes to right and front as a picture, whose rows go to the back and columns to the left."""
    return plane[::-1, ::-1].T


def framed(image: NDArray[np.float64], size: int, around: float) -> NDArray[np.float64]:
    """The image (H, W) in the middle of a square of side ``size``."""
    before = [(size - n) // 2 for n in image.shape]
    padding = [(max(b, 0), max(size - n - b, 0)) for n, b in zip(image.shape, before, strict=True)]
    top, left = (max(-b, 0) for b in before)
    return np.pad(image[top : top + size, left : left + size], padding, constant_values=around)
