"""Files of every format, and files that cannot be read."""

import gzip
import io

import h5py
import nibabel
import numpy as np
import pytest
from handmade_files import GREY, MX_DOUBLE, X, doubles, mat5, mat73, matrix, nifti, png, refused, variable
from scipy.io import savemat
from skimage.io import imsave

from bench.errors import BenchError
from tasks.datasets import reader
from tasks.datasets.aapm import aapm12


def test_every_format_gives_the_array_that_was_stored(folder):
    x = np.arange(12, dtype=np.uint8).reshape(3, 4)
    imsave(folder / "a.png", x, check_contrast=False)
    imsave(folder / "a.jpg", np.full((16, 16), 100, np.uint8), check_contrast=False)
    np.testing.assert_array_equal(reader.read("toy", "a.jpg"), np.full((16, 16), 100))  # compressed without loss
    np.save(folder / "a.npy", x)
    savemat(folder / "a.mat", {"x": x})
    with h5py.File(folder / "b.mat", "w", userblock_size=512) as stored:
        stored["x"] = x.T  # as MATLAB 7.3 stores it
    nibabel.save(nibabel.Nifti1Image(x[..., None], np.diag([1, 2, 3, 1])), folder / "a.nii.gz")
    for name in ("a.png", "a.npy", "a.mat", "b.mat"):
        np.testing.assert_array_equal(reader.read("toy", name), x)
    np.testing.assert_array_equal(reader.read("toy", "a.nii.gz")[..., 0], x)
    assert reader.voxel_size("toy", "a.nii.gz") == (1, 2, 3)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.npy", "a.mat", "a.nii.gz"])
def test_a_file_that_cannot_be_read_is_one_line(folder, name):
    content = b"neither an image\nnor an array"
    (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(BenchError, match="cannot be read") as caught:
        reader.read("toy", name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_matlab_file_of_two_variables_is_ambiguous(folder):
    savemat(folder / "a.mat", {"x": np.zeros(2), "y": np.ones(2)})
    with pytest.raises(BenchError, match="expected one variable, found x, y"):
        reader.read("toy", "a.mat")


@pytest.mark.parametrize("name", ["a.tif", "a.bmp", "a.ima", "a.csv", "a.mgh", "a", "a.gz", "a.nrrd", "a.h5"])
def test_another_format_is_refused_with_the_ones_that_are_read(folder, name):
    (folder / name).write_bytes(b"anything")
    refused(folder / name, r"Convert it to one of \.png, \.jpg, \.npy, \.npz, \.mat, \.nii, \.nii\.gz, \.dcm")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_truncated_files_of_every_format_are_one_line(folder, share):
    buffer = io.BytesIO()
    np.savez(buffer, x=X)
    (folder / "a.npz").write_bytes(buffer.getvalue())
    np.save(folder / "a.npy", X)
    paths = [
        folder / "a.npz",
        folder / "a.npy",
        png(folder / "a.png", X, 8, GREY),
        mat5(folder / "a.mat", matrix(MX_DOUBLE, (3, 4), doubles(X))),
        mat73(folder / "b.mat", variable(X.T, "double")),
        nifti(folder / "a.nii"),
        nifti(folder / "a.nii.gz"),
    ]
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        refused(path, "cannot be read")


@pytest.mark.data("aapm12")
def test_aapm_slices_are_scaled_to_one():
    images = aapm12()
    assert len(images) == 8
    assert {images.group_of(image) for image in images.ids} == {"one scan"}
    for image in images.ids:
        x = images.load(image)
        assert x.shape == (512, 512)
        assert x.dtype == np.float64
        assert (x.min(), x.max()) == (0, 1)
