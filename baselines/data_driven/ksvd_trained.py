"""min_{D, Γ} ‖X − ΓᵀD‖²,   ‖γ_i‖₀ ≤ 6,   one atom d_j after the other: K-SVD from training images

Each update fits an atom and its coefficients to the residual of all other atoms, by a pair of singular vectors. The
dictionary of 8x8 patches (4x4x4 in volumes) is learned from training images and then denoises any image
(`baselines.patches.dictionary_denoiser`, `baselines.patches.dictionary`).

M. Elad, M. Aharon, Image denoising via sparse and redundant representations over learned dictionaries, IEEE TIP 2006.
"""

from __future__ import annotations

from baselines.patches.dictionary import ksvd
from baselines.patches.dictionary_denoiser import TrainedDictionary


class KSVDTrained(TrainedDictionary):
    update = staticmethod(ksvd)
