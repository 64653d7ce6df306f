"""The abdomen as MRI sees it: the slices of `tasks.phantoms.abdomen`, bright in fat, dark in bone, lung and air.

A pixel that two tissues share has the signal of the attenuation between them, which draws thin rims around organs, dark
or bright, as chemical shift does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.phantoms.abdomen import FAT, MUSCLE, WATER, noiseless
from tasks.phantoms.brain import GRAIN, TEXTURE, received
from tasks.phantoms.shapes import grid, smooth_field
from tasks.phantoms.thorax import CORTEX, LUNG, MARROW

# T1-weighted signal by attenuation in 1/cm, relative to fat; organs lie between muscle and marrow
SIGNAL = ((0, 0.0), (LUNG, 0.08), (FAT, 1.0), (WATER, 0.25), (MUSCLE, 0.4), (0.215, 0.6), (MARROW, 0.5), (CORTEX, 0.05))


def abdominal_scan(seed: int, index: int, size: int = 192) -> NDArray[np.complex128]:
    """Slice ``index`` of ``seed``: complex (size, size), largest magnitude 1; front at the top."""
    attenuation, signal = zip(*SIGNAL, strict=True)
    rng = np.random.default_rng([seed, index, 1])
    image = np.interp(noiseless(seed, index, size), attenuation, signal)
    image *= 1 + TEXTURE * smooth_field(rng, image.shape, GRAIN)
    return received(image, rng, *grid(size, size))
