"""Abdominal and thoracic CT slices of the AAPM low-dose challenge, each scaled to [0, 1].

Their Hounsfield units are lost: a track multiplies them by a declared maximum of the attenuation. The stored 512x512
grid is the fine grid on which measurements are made; ``tasks.phantoms.shapes.coarsen`` averages it to the 256x256 grid
of the reconstruction.

The patients are not told. From the first file to the last the slices run from the heart to the pelvis, like the slices
of one scan, so all of them are one group.
"""

from __future__ import annotations

import numpy as np

from bench.contract.task import Images
from bench.data.manifest import manifest
from tasks.datasets.reader import read


def aapm12() -> Images:
    """The 8 slices: float64 (512, 512) in [0, 1]; front at the top."""
    files = {path.removesuffix(".npy"): path for path in manifest("aapm12").files}
    return Images(
        tuple(sorted(files)), lambda image: read("aapm12", files[image]).astype(np.float64), lambda image: "one scan"
    )
