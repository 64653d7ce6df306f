"""NIfTI-1 files laid out by hand after nifti1.h are read, scaled, and turned to the axes of the scanner."""

import numpy as np
import pytest
from handmade_files import VOLUME, nifti, read, refused

from bench.errors import BenchError
from tasks.datasets import qsm2016, reader


def affine(*columns):
    """Rows of an affine whose voxel axes point along the given scanner axes, as ``(axis, millimetres)``."""
    rows = np.zeros((3, 4))
    for voxel, (axis, step) in enumerate(columns):
        rows[axis, voxel] = step
    return rows


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.NII", "a.NII.GZ"])
def test_nifti_laid_out_by_hand(folder, name):
    path = nifti(folder / name)
    np.testing.assert_array_equal(read(path), VOLUME)
    assert reader.voxel_size("toy", name) == (1, 2, 3)
    assert reader.b0_direction("toy", name) == (0, 0, 1)


def test_nifti_numbers_are_scaled_as_the_header_says(folder):
    np.testing.assert_allclose(read(nifti(folder / "a.nii", slope=0.5, inter=-3.0)), VOLUME * 0.5 - 3)


def test_nifti_axes_are_turned_to_those_of_the_scanner(folder):
    path = nifti(folder / "a.nii", affine((0, -1.0), (1, 2.0), (2, 3.0)))
    np.testing.assert_array_equal(read(path), VOLUME[::-1])
    assert min(read(path).strides) > 0
    path = nifti(folder / "b.nii", affine((2, 1.0), (0, 2.0), (1, 3.0)))
    np.testing.assert_array_equal(read(path), VOLUME.transpose(1, 2, 0))
    assert reader.voxel_size("toy", "b.nii") == (2, 3, 1)
    assert reader.b0_direction("toy", "b.nii") == (0, 0, 1)


def test_b0_of_an_oblique_slab_is_known(folder):
    angle = 0.3
    rows = np.array([[1, 0, 0, 0], [0, np.cos(angle), -np.sin(angle), 0], [0, np.sin(angle), np.cos(angle), 0]])
    nifti(folder / "a.nii", rows * [[1.0, 2.0, 3.0, 1.0]])
    expected = (0, np.sin(angle), np.cos(angle))  # of the scanner's z along the columns of the rotation
    np.testing.assert_allclose(reader.b0_direction("toy", "a.nii"), expected, atol=1e-6)
    for name in ("phs_tissue", "chi_cosmos", "msk"):
        nifti(folder / f"{name}.nii.gz", rows * [[1.0, 2.0, 3.0, 1.0]])
    with pytest.raises(BenchError, match=r"phs_tissue\.nii\.gz of qsm2016: by its header B0 is along"):
        qsm2016.qsm2016()


def test_a_qsm_volume_with_b0_along_another_array_axis_is_turned(folder):
    for name in ("phs_tissue", "chi_cosmos", "msk"):
        nifti(folder / f"{name}.nii.gz", affine((2, 1.0), (0, 2.0), (1, 3.0)))
    volume = qsm2016.qsm2016()
    np.testing.assert_array_equal(volume.field, VOLUME.transpose(1, 2, 0))
    assert volume.voxel == (2, 3, 1)


def test_colours_in_nifti_are_refused(folder):
    colours = np.zeros((2, 3, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    refused(nifti(folder / "a.nii", data=colours, kind=128), "expected an array of numbers")
