"""Head phantoms: susceptibility in ppm inside a mask."""

import numpy as np

from tasks.phantoms.head import head


def test_head_is_a_susceptibility_in_ppm_inside_its_mask():
    volume, mask = head(0, 0, 48)
    assert volume.shape == mask.shape == (48, 48, 48)
    assert mask.dtype == bool
    assert 0.1 < mask.mean() < 0.4
    assert not volume[~mask].any()
    for axis in range(3):  # air all around: a dipole field needs room
        assert not np.take(mask, [0, 1, -2, -1], axis).any()
    assert -0.35 < volume.min() < -0.03
    assert 0.15 < volume.max() < 0.7
    assert abs(volume[mask].mean()) < 0.02
    assert 0.02 < volume[mask].std() < 0.06
