"""A flipped bit in the cache never becomes another array or another value."""

import numpy as np
import pytest

from bench.data import cache

ARRAYS = {"matrix": np.arange(6.0), "index": np.array([1, 2], dtype=np.int32)}
VALUES = {"toy:mini": {"sources": {"a.py": "0123abcd"}, "learned": False, "steps": None, "rate": 0.1}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    return cache.folder()


DIRECTORY = 220  # bytes at the end of a zip file, which its checksums do not cover


def test_a_flipped_bit_in_an_array_file_gives_the_same_arrays(folder):
    cache.cached("x", "k", lambda: ARRAYS)
    path = folder / "x-k.npz"
    content = path.read_bytes()
    made = 0

    def make():
        nonlocal made
        made += 1
        return ARRAYS

    first = 8 * (len(content) - DIRECTORY)
    for bit in [*range(0, first, 9), *range(first, 8 * len(content))]:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = cache.cached("x", "k", make)
        assert set(found) == set(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], array)
    assert made > DIRECTORY


def test_every_flipped_bit_in_a_file_of_values_is_seen(folder):
    path = folder / "described-k.json"
    cache.write_values(path, VALUES)
    content = path.read_bytes()
    assert cache.read_values(path) == VALUES
    for bit in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert cache.read_values(path) in (None, VALUES)
    for size in range(len(content)):
        path.write_bytes(content[:size])
        assert cache.read_values(path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"values": {}}', '{"values": {}, "checksum": ""}'])
def test_other_text_is_no_value(folder, text):
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(text)
    assert cache.read_values(folder / "a.json") is None
