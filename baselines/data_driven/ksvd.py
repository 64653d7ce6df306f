"""min_{D, α} Σ_i ‖R_i x − m_i − Dᵀα_i‖²,   atom by atom the first singular vectors of what the others leave: K-SVD

The dictionary of 8x8 patches (4x4x4 in volumes) is learned from the noisy image itself, or from the image as it is
reconstructed (`baselines.dictionary_denoiser`, `baselines.dictionary`).

M. Elad, M. Aharon, Image denoising via sparse and redundant representations over learned dictionaries, IEEE TIP 2006.
"""

from __future__ import annotations

from baselines.dictionary import ksvd
from baselines.dictionary_denoiser import SelfLearned


class KSVD(SelfLearned):
    update = staticmethod(ksvd)
