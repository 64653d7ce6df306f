"""DICOM files laid out by hand after PS3.5 (explicit little endian) are read and rescaled, if pydicom is there."""

import struct

import numpy as np
import pytest
from handmade_files import X, read, refused


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
