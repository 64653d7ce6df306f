"""Hounsfield units and attenuation μ in 1/cm:   HU = 1000 (μ / μ_w − 1),   with μ_w the attenuation of water

G. Hounsfield, Computerized transverse axial scanning (tomography), British Journal of Radiology 46, 1973.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WATER = 0.19  # 1/cm, at about 73 keV

Array = NDArray[np.float64]


def attenuation(hounsfield: Array) -> Array:
    """Attenuation in 1/cm of an array in Hounsfield units; values below air, of noise and of padding, become 0."""
    return np.maximum(WATER * (1 + hounsfield / 1000), 0)


def hounsfield(attenuation: Array) -> Array:
    """Hounsfield units of an attenuation in 1/cm."""
    return 1000 * (attenuation / WATER - 1)
