"""The in-vivo brain of the QSM reconstruction challenge 2016 (Langkammer et al., MRM 79(3), 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from tasks.datasets.reader import b0_direction, read, voxel_size

TILT = 1e-3  # of B0 against the last axis, below which a map does not show it


@dataclass(frozen=True)
class Volume:
    """A brain, arrays of (160, 160, 160); B0 runs along the last axis."""

    field: NDArray[np.float64]  # local field in ppm, as stored
    chi: NDArray[np.float64]  # susceptibility in ppm from many orientations (COSMOS)
    mask: NDArray[np.bool_]
    voxel: tuple[float, float, float]  # mm


def qsm2016() -> Volume:
    """The one volume of the challenge. Raises BenchError where a file says that B0 is along another axis."""
    files = [f"{name}.nii.gz" for name in ("phs_tissue", "chi_cosmos", "msk")]
    for name in files:
        b0 = b0_direction("qsm2016", name)
        if np.abs(np.subtract(b0, (0, 0, 1))).max() > TILT:
            raise BenchError(f"{name} of qsm2016: by its header B0 is along {b0}, expected the last axis.")
    field, chi, mask = (read("qsm2016", name) for name in files)
    return Volume(
        field.astype(np.float64), chi.astype(np.float64), mask != 0, voxel_size("qsm2016", "phs_tissue.nii.gz")
    )
