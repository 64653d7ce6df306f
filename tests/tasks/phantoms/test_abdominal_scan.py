"""The abdomen as MRI sees it: complex, bright in fat, dark in bone and air, where the attenuation puts them."""

import numpy as np

from tasks.phantoms.abdomen import FAT, abdominal
from tasks.phantoms.abdominal_scan import abdominal_scan


def test_signal_follows_the_attenuation():
    scan, attenuation = abdominal_scan(3, 1, 96), abdominal(3, 1, 96)
    magnitude = np.abs(scan)
    assert abs(magnitude.max() - 1) < 1e-12
    assert np.array_equal(abdominal_scan(3, 1, 96), scan)
    assert not np.array_equal(abdominal_scan(3, 2, 96), scan)
    assert (magnitude[attenuation == 0] == 0).all()
    fat = np.abs(attenuation - FAT) < 0.004
    assert fat.sum() > 100
    assert magnitude[fat].mean() > 1.8 * magnitude[attenuation > 0.28].mean()  # bone
    inside = attenuation > 0.1
    assert np.ptp(np.unwrap(np.angle(scan[48, inside[48]]))) > 0.1  # its phase varies
