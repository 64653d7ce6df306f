"""min_{D, Γ} ‖X − DΓ‖²,   ‖γ_i‖₀ ≤ 6,   atom by atom the first singular vectors of what the others leave: K-SVD

The dictionary of 8x8 patches (4x4x4 in volumes) is learned from training images and then denoises any image
(`baselines.patches.dictionary_denoiser`, `baselines.patches.dictionary`).

M. Elad, M. Aharon, Image denoising via sparse and redundant representations over learned dictionaries, IEEE TIP 2006.
"""

from __future__ import annotations

from baselines.patches.dictionary import ksvd
from baselines.patches.dictionary_denoiser import TrainedDictionary


class KSVDTrained(TrainedDictionary):
    update = staticmethod(ksvd)
