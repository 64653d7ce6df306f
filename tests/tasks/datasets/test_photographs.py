"""Embedded photographs: from installed packages, in splits and groups that share no scene."""

import tomllib
from importlib.metadata import files
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tasks.datasets import photographs as module
from tasks.datasets.photographs import CROP, SCENES, TEST, TEST_CROP, TRAIN, VAL, photographs


def test_photographs_are_crops_in_disjoint_scenes():
    splits = photographs()
    assert {name: len(split) for name, split in splits.items()} == {"train": 200, "val": 8, "test": 12}
    for name, split in splits.items():
        side = TEST_CROP if name == "test" else CROP
        assert len(set(split.ids)) == len(split)
        for image in split.ids if name != "train" else split.ids[::7]:
            x = split.load(image)
            assert x.shape == (side, side)
            assert x.dtype == np.float64
            assert x.min() >= 0
            assert x.max() <= 1
            assert x.std() > 0.02
            np.testing.assert_array_equal(x, split.load(image))
    groups = [{split.group_of(image) for image in split.ids} for split in splits.values()]
    assert all(not a & b for a, b in combinations(groups, 2))
    assert len(groups[2]) == 12
    assert len(groups[1]) == 2
    assert groups[0] & set(SCENES) == set(TRAIN)
    assert len(groups[0]) == len(TRAIN) + sum(image.startswith("leaves") for image in splits["train"].ids)


def test_scenes_have_files_of_their_own():
    assert len({scene.file for scene in SCENES.values()}) == len(SCENES)
    assert sorted((*TEST, *VAL, *TRAIN)) == sorted(SCENES)


@pytest.mark.parametrize("scene", VAL)
def test_crops_of_a_scene_are_disjoint(scene):
    for (top, left), (other_top, other_left) in combinations(VAL[scene], 2):
        assert abs(top - other_top) >= CROP or abs(left - other_left) >= CROP


@pytest.mark.parametrize("name", ["scikit-image", "PyWavelets", "matplotlib"])
def test_the_files_are_in_the_wheels_of_required_packages(name):
    """Not files that one of them downloads on first use into its folder."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert any(requirement.startswith(name) for requirement in project["dependencies"])
    shipped = {file.as_posix() for file in files(name) or ()}
    folder = {"scikit-image": "skimage/", "PyWavelets": "pywt/", "matplotlib": "matplotlib/"}[name]
    used = {scene.file for scene in SCENES.values() if scene.file.startswith(folder)}
    assert used
    assert used <= shipped


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda package: None)
    with pytest.raises(ModuleNotFoundError, match="is part of the package pywt, which is not installed"):
        module._site("pywt/data/aero.npz")


def test_a_loaded_image_may_be_changed():
    split = photographs()["train"]
    for image in (split.ids[0], split.ids[-1]):
        before = split.load(image).copy()
        split.load(image)[:] = 0
        np.testing.assert_array_equal(split.load(image), before)
