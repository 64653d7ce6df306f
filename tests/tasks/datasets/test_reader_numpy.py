"""NPY and NPZ files laid out by hand after NumPy enhancement proposal 1 are read, and no objects, texts or remains."""

import struct
import zipfile

import numpy as np
from handmade_files import X, read, refused


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
