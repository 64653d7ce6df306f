"""What is cached is made once; a cache that is damaged or cannot be written costs time and no run."""

import errno
import os

import numpy as np
import pytest

from bench.data.cache import cached, code_hash


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def numbers(store):
    made = []

    def get():
        return cached("numbers", "k", lambda: made.append(1) or {"a": np.arange(3), "b": np.eye(2)})

    get.made = made
    get.path = store / "cache" / "numbers-k.npz"
    return get


def test_what_is_cached_is_made_once(numbers):
    first, second = numbers(), numbers()
    assert len(numbers.made) == 1
    assert set(second) == {"a", "b"}
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert names(numbers.path.parent) == ["numbers-k.npz"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
def test_a_damaged_cache_file_is_made_anew(numbers, share):
    expected = numbers()
    content = numbers.path.read_bytes()
    numbers.path.write_bytes(content[: int(share * len(content))])
    assert np.array_equal(numbers()["b"], expected["b"])
    assert len(numbers.made) == 2
    assert numbers.path.read_bytes()[:2] == b"PK"


def test_a_cache_that_cannot_be_written_costs_time_and_not_the_run(numbers, monkeypatch):
    monkeypatch.setattr(np, "savez", full)
    assert np.array_equal(numbers()["a"], np.arange(3))
    assert names(numbers.path.parent) == []


def test_arrays_of_changed_code_are_not_found_again():
    import bench.data.cache
    import bench.places

    one, other = code_hash(bench.places), code_hash(bench.places, bench.data.cache)
    assert one == code_hash(bench.places)
    assert one != other
