"""MATLAB files of version 5 (MAT-File Format, The MathWorks) and 7.3 (HDF5) hold one array, real, complex or sparse."""

import h5py
import numpy as np
from handmade_files import (
    COMPLEX,
    MX_CELL,
    MX_CHAR,
    MX_DOUBLE,
    X,
    doubles,
    element,
    mat5,
    mat73,
    matrix,
    read,
    refused,
    variable,
)
from scipy.io import savemat
from scipy.sparse import csc_array


def test_mat_version_5_laid_out_by_hand(folder):
    y = X * 0.5 - 2
    np.testing.assert_array_equal(read(mat5(folder / "a.mat", matrix(MX_DOUBLE, (3, 4), doubles(y)))), y)
    parts = doubles(y), doubles(-3 * y)
    array = read(mat5(folder / "b.MAT", matrix(MX_DOUBLE, (3, 4), *parts, flags=COMPLEX)))
    np.testing.assert_array_equal(array, y - 3j * y)
    text = matrix(MX_CHAR, (1, 2), element(4, "hi".encode("utf-16-le")))
    refused(mat5(folder / "c.mat", text), "holds text")
    cell = matrix(MX_CELL, (1, 1), matrix(MX_DOUBLE, (3, 4), doubles(y), name=b""))
    refused(mat5(folder / "d.mat", cell), "holds a cell array")


def test_mat_version_5_of_other_classes(folder):
    savemat(folder / "a.mat", {"x": {"field": X}})
    refused(folder / "a.mat", "holds a struct")
    savemat(folder / "b.mat", {"x": csc_array(X.astype(float))})
    np.testing.assert_array_equal(read(folder / "b.mat"), X)
    savemat(folder / "c.mat", {"x": np.zeros((0, 0))})
    refused(folder / "c.mat", "is empty")
    savemat(folder / "d.mat", {"x": X}, format="4")
    np.testing.assert_array_equal(read(folder / "d.mat"), X)


def test_mat_version_7_3(folder):
    deep = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(read(mat73(folder / "a.mat", variable(deep.T, "double"))), deep)
    pairs = np.zeros((4, 3), dtype=[("real", "f8"), ("imag", "f8")])
    pairs["real"], pairs["imag"] = X.T, -2 * X.T
    np.testing.assert_array_equal(read(mat73(folder / "b.mat", variable(pairs, "double"))), X - 2j * X)
    refused(mat73(folder / "c.mat", variable(np.array([[104], [105]], "u2"), "char")), "holds text")
    empty = variable(np.array([0, 3], "u8"), "double", MATLAB_empty=np.uint8(1))
    refused(mat73(folder / "d.mat", empty), "is empty")
    logical = variable((X.T > 5).astype("u1"), "logical", MATLAB_int_decode=np.int32(1))
    np.testing.assert_array_equal(read(mat73(folder / "e.mat", logical)) != 0, X > 5)


def test_mat_version_7_3_of_other_classes(folder):
    def cell(stored):
        inner = stored.create_dataset("#refs#/a", data=X.T)
        dataset = stored.create_dataset("x", (1, 1), dtype=h5py.ref_dtype)
        dataset[0, 0] = inner.ref
        dataset.attrs["MATLAB_class"] = np.bytes_("cell")

    def struct_(stored):
        stored.create_dataset("x/field", data=X.T)
        stored["x"].attrs["MATLAB_class"] = np.bytes_("struct")

    def sparse(stored):
        matrix = csc_array(X.astype(float))
        for name, value in (("data", matrix.data), ("ir", matrix.indices), ("jc", matrix.indptr)):
            stored.create_dataset(f"x/{name}", data=value)
        stored["x"].attrs["MATLAB_class"] = np.bytes_("double")
        stored["x"].attrs["MATLAB_sparse"] = np.uint64(3)

    refused(mat73(folder / "a.mat", cell), "holds a cell array")
    refused(mat73(folder / "b.mat", struct_), "holds a struct")
    np.testing.assert_array_equal(read(mat73(folder / "c.mat", sparse)), X)
