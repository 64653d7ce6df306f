"""Files laid out by hand after their formats' specifications, apart from the libraries that read them."""

import gzip
import struct
import zlib

import h5py
import numpy as np
import pytest

from bench.errors import BenchError
from tasks.datasets import reader

X = np.arange(12).reshape(3, 4)


def read(path):
    return reader.read("toy", path.name)


def refused(path, rule):
    with pytest.raises(BenchError, match=rule) as caught:
        read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def png(path, rows, depth, colour, *chunks):
    """ISO/IEC 15948."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    width = rows.shape[1]
    raw = b"".join(b"\0" + row.astype(">u2" if depth == 16 else ">u1").tobytes() for row in rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0))
    body = b"".join(chunk(*one) for one in chunks) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)
    return path


GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6

MX_CHAR, MX_CELL, MX_DOUBLE, COMPLEX = 4, 1, 6, 8


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(kind, shape, *parts, name=b"x", flags=0):
    head = element(6, struct.pack("<II", kind | flags << 8, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name) + b"".join(parts))


def mat5(path, content):
    """MAT-File Format, The MathWorks."""
    text = b"MATLAB 5.0 MAT-file, by hand".ljust(116) + bytes(8)
    path.write_bytes(text + struct.pack("<H", 0x0100) + b"IM" + content)
    return path


def doubles(values):
    return element(9, values.astype("<f8").tobytes(order="F"))


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


VOLUME = np.arange(24, dtype="<i2").reshape(2, 3, 4)


def nifti(path, rows=None, slope=1.0, inter=0.0, data=VOLUME, kind=4, zooms=(1.0, 2.0, 3.0)):
    """nifti1.h. ``rows``: the first three rows of the affine; without them the header tells no orientation."""
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
