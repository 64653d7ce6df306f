"""The in-vivo brain of the QSM reconstruction challenge 2016 (Langkammer et al., MRM 79(3), 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.datasets.reader import read, voxel_size


@dataclass(frozen=True)
class Volume:
    """A brain, arrays of (160, 160, 160); B0 runs along the last axis."""

    field: NDArray[np.float64]  # local field in ppm, as stored
    chi: NDArray[np.float64]  # susceptibility in ppm from many orientations (COSMOS)
    mask: NDArray[np.bool_]
    voxel: tuple[float, float, float]  # mm


def qsm2016() -> Volume:
    """The one volume of the challenge."""
    field, chi, mask = (read("qsm2016", f"{name}.nii.gz") for name in ("phs_tissue", "chi_cosmos", "msk"))
    return Volume(
        field.astype(np.float64), chi.astype(np.float64), mask != 0, voxel_size("qsm2016", "phs_tissue.nii.gz")
    )
