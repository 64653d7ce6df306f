"""min_{D, α} Σ_i ‖R_i x − m_i − Dᵀα_i‖²,   one atom d_j after the other: K-SVD

Each update fits an atom and its coefficients to the residual of all other atoms, by a pair of singular vectors. The
dictionary of 8x8 patches (4x4x4 in volumes) is learned from the noisy image itself, or from the image as it is
reconstructed (`baselines.patches.dictionary_denoiser`, `baselines.patches.dictionary`).

M. Elad, M. Aharon, Image denoising via sparse and redundant representations over learned dictionaries, IEEE TIP 2006.
"""

from __future__ import annotations

from baselines.patches.dictionary import ksvd
from baselines.patches.dictionary_denoiser import SelfTrainedDictionary


class KSVD(SelfTrainedDictionary):
    update = staticmethod(ksvd)
