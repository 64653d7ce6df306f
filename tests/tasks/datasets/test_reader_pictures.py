"""PNG files laid out by hand after ISO/IEC 15948 are read to the last bit, and other pictures are refused."""

import struct

import numpy as np
import pytest
from handmade_files import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, X, png, read, refused
from PIL import Image

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
