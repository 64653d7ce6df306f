"""The abdomen as MRI sees it: complex, bright in fat, dark in bone and air, where the attenuation puts them."""

import numpy as np

from tasks.phantoms.abdomen import FAT, ORGANS, abdomen, noiseless
from tasks.phantoms.abdominal_scan import abdominal_scan


def test_signal_follows_the_attenuation():
    scan, attenuation = abdominal_scan(3, 1, 96), noiseless(3, 1, 96)
    magnitude = np.abs(scan)
    assert abs(magnitude.max() - 1) < 1e-12
    assert np.array_equal(abdominal_scan(3, 1, 96), scan)
    assert not np.array_equal(abdominal_scan(3, 2, 96), scan)
    assert (magnitude[attenuation == 0] == 0).all()
    fat = np.abs(attenuation - FAT) < 0.001
    assert fat.sum() > 100
    assert magnitude[fat].mean() > 1.8 * magnitude[attenuation > 0.28].mean()  # bone
    inside = attenuation > 0.1
    assert np.ptp(np.unwrap(np.angle(scan[48, inside[48]]))) > 0.1  # its phase varies


def test_an_organ_is_as_even_as_tissue():
    for index in range(6):
        liver = abdomen(3, index, 96)[1][ORGANS.index("liver")] == 1
        values = np.abs(abdominal_scan(3, index, 96))[liver]
        if len(values) > 100:
            assert 0.03 < values.std() / values.mean() < 0.2
