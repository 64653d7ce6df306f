"""D = (ΓΓᵀ)⁻¹ΓX, the best dictionary for the codes Γ of patches X: method of optimal directions

The dictionary of 8x8 patches (4x4x4 in volumes) is learned from training images and then denoises any image
(`baselines.patches.dictionary_denoiser`, `baselines.patches.dictionary`).

K. Engan, S. Aase, J. Husøy, Method of optimal directions for frame design, ICASSP 1999.
"""

from __future__ import annotations

from baselines.patches.dictionary import mod
from baselines.patches.dictionary_denoiser import TrainedDictionary


class MODTrained(TrainedDictionary):
    update = staticmethod(mod)
