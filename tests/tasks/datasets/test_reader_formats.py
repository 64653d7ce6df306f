"""Files laid out by hand after their formats' specifications, apart from the libraries that read them."""

import gzip
import io
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_array

from bench.errors import BenchError
from tasks.datasets import qsm2016, reader

X = np.arange(12).reshape(3, 4)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "file", lambda name, relative: tmp_path / relative)
    return tmp_path


def read(path):
    return reader.read("toy", path.name)


def refused(path, rule):
    with pytest.raises(BenchError, match=rule) as caught:
        read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


# PNG (ISO/IEC 15948)


def png(path, rows, depth, colour, *chunks):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    width = rows.shape[1]
    raw = b"".join(b"\0" + row.astype(">u2" if depth == 16 else ">u1").tobytes() for row in rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0))
    body = b"".join(chunk(*one) for one in chunks) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)
    return path


GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
COLOURS = np.random.default_rng(0).integers(0, 256, (3, 4, 3))


@pytest.mark.parametrize("name", ["a.png", "a.PNG"])
def test_png_of_8_bits(folder, name):
    array = read(png(folder / name, X, 8, GREY))
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, X)
    np.testing.assert_array_equal(read(png(folder / "c.png", COLOURS, 8, RGB)), COLOURS)


def test_png_of_16_bits_keeps_them(folder):
    deep = X * 5000 + 257
    array = read(png(folder / "a.png", deep, 16, GREY))
    assert array.dtype == np.uint16
    np.testing.assert_array_equal(array, deep)
    refused(png(folder / "c.png", COLOURS * 257, 16, RGB), "16 bits of colour")


def test_a_palette_becomes_what_it_stands_for(folder):
    entries = np.random.default_rng(1).integers(0, 256, (12, 3)).astype(np.uint8)
    np.testing.assert_array_equal(read(png(folder / "a.png", X, 8, PALETTE, (b"PLTE", entries.tobytes()))), entries[X])
    grey = np.repeat(np.arange(200, 80, -10, dtype=np.uint8)[:, None], 3, axis=1)
    array = read(png(folder / "g.png", X, 8, PALETTE, (b"PLTE", grey.tobytes())))
    np.testing.assert_array_equal(array, 200 - 10 * X)


def test_a_transparent_png_is_refused_and_an_opaque_one_is_read(folder):
    opaque = np.full((3, 4, 1), 255)
    holes = opaque.copy()
    holes[1, 1] = 0
    grey = X[..., None]
    np.testing.assert_array_equal(read(png(folder / "a.png", np.concatenate([grey, opaque], 2), 8, GREY_ALPHA)), X)
    np.testing.assert_array_equal(read(png(folder / "b.png", np.concatenate([COLOURS, opaque], 2), 8, RGBA)), COLOURS)
    refused(png(folder / "c.png", np.concatenate([grey, holes], 2), 8, GREY_ALPHA), "transparent in places")
    refused(png(folder / "d.png", np.concatenate([COLOURS, holes], 2), 8, RGBA), "transparent in places")
    refused(png(folder / "e.png", X, 8, GREY, (b"tRNS", struct.pack(">H", 5))), "transparent in places")
    np.testing.assert_array_equal(read(png(folder / "f.png", X, 8, GREY, (b"tRNS", struct.pack(">H", 99)))), X)


def test_other_pictures_are_refused(folder):
    first, second = (Image.fromarray((X + i).astype(np.uint8)) for i in (0, 9))
    first.save(folder / "a.png", save_all=True, append_images=[second])
    refused(folder / "a.png", "several images")
    first.convert("RGB").save(folder / "b.png", format="JPEG")
    refused(folder / "b.png", "no PNG")
    (folder / "c.jpg").write_bytes(b"anything")
    refused(folder / "c.jpg", "cannot be read")


@pytest.mark.parametrize("name", ["a.tif", "a.bmp", "a.ima", "a.csv", "a.mgh", "a", "a.gz", "a.nrrd", "a.h5"])
def test_another_format_is_refused_with_the_ones_that_are_read(folder, name):
    (folder / name).write_bytes(b"anything")
    refused(folder / name, r"Convert it to one of \.png, \.jpg, \.npy, \.npz, \.mat, \.nii, \.nii\.gz, \.dcm")


# NPY (NumPy enhancement proposal 1) and NPZ


def npy(description, data):
    head = f"{{'descr': {description!r}, 'fortran_order': True, 'shape': (3, 4), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + data


def test_npy_and_npz_laid_out_by_hand(folder):
    content = npy(">f4", X.T.astype(">f4").tobytes())
    (folder / "a.npy").write_bytes(content)
    with zipfile.ZipFile(folder / "a.npz", "w") as zipped:
        zipped.writestr("x.npy", content)
    for name in ("a.npy", "a.npz"):
        array = read(folder / name)
        assert array.dtype == np.float32
        assert array.dtype.isnative
        np.testing.assert_array_equal(array, X)


def test_arrays_that_are_no_numbers_are_refused(folder):
    np.save(folder / "a.npy", np.array(["a", "b"]))
    refused(folder / "a.npy", "expected an array of numbers")
    np.save(folder / "b.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    refused(folder / "b.npy", "allow_pickle=False")
    np.save(folder / "c.npy", np.zeros(3, dtype=[("a", "f4")]))
    refused(folder / "c.npy", "expected an array of numbers")
    np.save(folder / "d.npy", np.zeros((0, 3)))
    refused(folder / "d.npy", "is empty")
    np.savez(folder / "e.npz", x=X, y=X)
    refused(folder / "e.npz", "expected one variable, found x, y")
    (folder / "f.npy").write_bytes(npy("<f4", X.T.astype("<f4").tobytes()) + b"\0")
    refused(folder / "f.npy", "goes on behind its array")


# MATLAB: version 5 (MAT-File Format, The MathWorks) and 7.3 (HDF5)

MX_CHAR, MX_CELL, MX_DOUBLE, COMPLEX = 4, 1, 6, 8


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(kind, shape, *parts, name=b"x", flags=0):
    head = element(6, struct.pack("<II", kind | flags << 8, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name) + b"".join(parts))


def mat5(path, content):
    text = b"MATLAB 5.0 MAT-file, by hand".ljust(116) + bytes(8)
    path.write_bytes(text + struct.pack("<H", 0x0100) + b"IM" + content)
    return path


def doubles(values):
    return element(9, values.astype("<f8").tobytes(order="F"))


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


def mat73(path, fill):
    """As MATLAB writes it: a text of 128 bytes in a block of 512, then HDF5."""
    with h5py.File(path, "w", userblock_size=512) as stored:
        fill(stored)
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, by hand".ljust(116) + bytes(8) + struct.pack("<H", 0x0200) + b"IM")
    return path


def variable(value, kind, **attributes):
    def fill(stored):
        dataset = stored.create_dataset("x", data=value)
        dataset.attrs["MATLAB_class"] = np.bytes_(kind)
        for name, attribute in attributes.items():
            dataset.attrs[name] = attribute

    return fill


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


# NIfTI-1 (nifti1.h)

VOLUME = np.arange(24, dtype="<i2").reshape(2, 3, 4)


def nifti(path, rows=None, slope=1.0, inter=0.0, data=VOLUME, kind=4, zooms=(1.0, 2.0, 3.0)):
    """``rows``: the first three rows of the affine; without them the header tells no orientation."""
    head = bytearray(348)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, data.ndim, *data.shape, *[1] * (7 - data.ndim))
    struct.pack_into("<hh", head, 70, kind, data.dtype.itemsize * 8)
    struct.pack_into("<8f", head, 76, 1.0, *zooms, *[1.0] * 4)
    struct.pack_into("<fff", head, 108, 352.0, slope, inter)
    if rows is not None:
        struct.pack_into("<hh", head, 252, 0, 1)
        struct.pack_into("<12f", head, 280, *np.ravel(rows))
    head[344:348] = b"n+1\0"
    content = bytes(head) + bytes(4) + data.tobytes(order="F")
    path.write_bytes(gzip.compress(content) if path.name.lower().endswith("gz") else content)
    return path


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


# DICOM (PS3.5, explicit little endian)


def dicom(path, *elements, kind=b"MONOCHROME2"):
    def item(group, number, code, value):
        value += (b"\0" if code in (b"UI", b"OW") else b" ") * (len(value) % 2)
        size = bytes(2) + struct.pack("<I", len(value)) if code == b"OW" else struct.pack("<H", len(value))
        return struct.pack("<HH", group, number) + code + size + value

    def short(group, number, value):
        return item(group, number, b"US", struct.pack("<H", value))

    syntax = item(2, 0x10, b"UI", b"1.2.840.10008.1.2.1")
    body = short(0x28, 2, 1) + item(0x28, 4, b"CS", kind) + b"".join(item(*one) for one in elements if one[1] < 0x10)
    body += short(0x28, 0x10, 3) + short(0x28, 0x11, 4) + short(0x28, 0x100, 16) + short(0x28, 0x101, 16)
    body += short(0x28, 0x102, 15) + short(0x28, 0x103, 1)
    body += b"".join(item(*one) for one in elements if one[1] >= 0x10)
    body += item(0x7FE0, 0x10, b"OW", (X * 100 - 500).astype("<i2").tobytes())
    path.write_bytes(bytes(128) + b"DICM" + item(2, 0, b"UL", struct.pack("<I", len(syntax))) + syntax + body)
    return path


def test_dicom_laid_out_by_hand(folder):
    pytest.importorskip("pydicom")
    np.testing.assert_array_equal(read(dicom(folder / "a.dcm")), X * 100 - 500)
    rescale = (0x28, 0x1052, b"DS", b"-1024"), (0x28, 0x1053, b"DS", b"0.5")
    np.testing.assert_array_equal(read(dicom(folder / "b.DCM", *rescale)), (X * 100 - 500) * 0.5 - 1024)
    refused(dicom(folder / "c.dcm", kind=b"MONOCHROME1"), "is MONOCHROME1, expected MONOCHROME2")
    refused(dicom(folder / "d.dcm", (0x28, 8, b"IS", b"2")), "several images")
    (folder / "e.dcm").write_bytes(b"neither")
    refused(folder / "e.dcm", "cannot be read")


def test_dicom_without_its_package_is_one_line(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    refused(dicom(folder / "a.dcm"), r"DICOM needs the package pydicom: pip install 'reconbench\[dicom\]'")


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
