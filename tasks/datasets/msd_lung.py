"""Ten lung CT slices of the Medical Segmentation Decathlon with tumour masks, as a repository stores them in JPEG.

A pixel value is the Hounsfield number clipped to [0, 255]: the program that made the files passed floats to an encoder
of 8 bits, and muscle lies near 50 as it should. So lung, fat and air are all black, and of a tumour only the parts
denser than water are seen: gross lesions alone can be found. In five slices less than a third of the tumour is above
10 HU. The size of a pixel is lost. Every slice holds a tumour.

The first number of a name counts the patients, so slices of one number are one group: six groups.

M. Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 2022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.contract.task import Images
from bench.data.manifest import manifest
from tasks.datasets.reader import read

WHITE = 255.0  # HU: the largest number that the files hold
HALF = 127  # of a mask stored in JPEG
SPECK = 4  # pixels: components up to this size are left by the compression of a mask


def msd_lung10() -> Images:
    """The slices: {"image": HU in [0, 255], "cover": mask of the tumour}, float64 (512, 512); front at the top."""
    ids = sorted(
        path.removeprefix("images/").removesuffix(".jpg")
        for path in manifest("msd-lung10").files
        if path.startswith("images/")
    )

    def load(image: str) -> dict[str, NDArray[np.float64]]:
        values, mask = (read("msd-lung10", f"{kind}/{image}.jpg") for kind in ("images", "masks"))
        return {"image": values.astype(np.float64), "cover": without_specks(mask > HALF).astype(np.float64)}

    return Images(tuple(ids), load, lambda image: f"patient-{image.partition('_')[0]}")


def without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The components (8 neighbours) of a mask (H, W) with more than `SPECK` pixels."""
    from scipy.ndimage import label

    labels, _ = label(mask, np.ones((3, 3)))
    large = np.bincount(labels.ravel()) > SPECK
    large[0] = False
    return large[labels]
