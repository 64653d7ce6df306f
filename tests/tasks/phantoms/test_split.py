"""Splits of phantoms: seeded by the split, made once, each a group of its own."""

import numpy as np
import pytest

from tasks.phantoms.split import phantom_split
from tasks.phantoms.thorax import thorax


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))


def test_splits_differ_and_phantoms_are_groups():
    splits = {split: phantom_split(split, 3, thorax, 32) for split in ("train", "val", "test")}
    first = [images.load(images.ids[0])["image"] for images in splits.values()]
    assert splits["val"].ids == ("thorax-val-000", "thorax-val-001", "thorax-val-002")
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])
    np.testing.assert_array_equal(first[1], thorax(2, 0, 32))
    assert {splits["val"].group_of(image) for image in splits["val"].ids} == set(splits["val"].ids)


def test_a_phantom_is_made_once():
    made = []

    def counted(phantom):
        made.append(phantom)
        return {"image": phantom}

    images = phantom_split("val", 2, thorax, 32, counted)
    first = images.load(images.ids[1])["image"]
    np.testing.assert_array_equal(images.load(images.ids[1])["image"], first)
    assert len(made) == 1
