"""min_{D, Γ} ‖X − DΓ‖²,   ‖γ_i‖₀ ≤ 6,   atom by atom the first singular vectors of what the others leave: K-SVD

The dictionary of 8x8 patches (4x4x4 in volumes) is learned from training images and then denoises any image
(`baselines.dictionary_denoiser`, `baselines.dictionary`).

M. Elad, M. Aharon, Image denoising via sparse and redundant representations over learned dictionaries, IEEE TIP 2006.
"""

from __future__ import annotations

from baselines.dictionary import ksvd
from baselines.dictionary_denoiser import Global


class KSVDGlobal(Global):
    update = staticmethod(ksvd)
