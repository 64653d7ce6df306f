"""The atoms that a method has learned are pictures and arrays of its run; atoms that cannot be shown cost no scores."""

import numpy as np
import pytest
import toy
from toy_runs import do

from bench.runs.records import Result

pytestmark = pytest.mark.usefixtures("toys", "store", "sandbox")


def test_what_a_method_has_learned_is_a_picture_and_kept(tmp_path):
    folder, _ = do(toy.method_file(tmp_path, "atoms", toy.ATOMS))
    assert (folder / "pictures" / "learned-dictionary.png").exists()
    with np.load(folder / "atoms.npz") as kept:
        assert np.array_equal(kept["dictionary"], np.arange(12.0).reshape(3, 2, 2))


def test_learned_weights_are_pictures_too(tmp_path):
    weights = toy.ATOMS.replace("torch.arange(12.0)", "torch.nn.Parameter(torch.arange(12.0))")
    folder, _ = do(toy.method_file(tmp_path, "weights", weights))
    assert (folder / "pictures" / "learned-dictionary.png").exists()


@pytest.mark.parametrize("name", ["level 1/2", "file", ""])
def test_atoms_whose_name_is_no_file_s_cost_no_scores(tmp_path, name):
    stages = []
    path = toy.method_file(tmp_path, "named", toy.ATOMS.replace("dictionary", name))
    folder = toy.perform_here(toy.spec(path), stages.append)
    assert Result.read(folder / "result.json").status == "ok"
    assert stages[-1].startswith(f"no look inside the method: the atoms {name!r} need a name of ")


@pytest.mark.parametrize("shape", ["3, 4", "0, 2, 2"])
def test_atoms_that_are_no_pictures_cost_no_scores(tmp_path, shape):
    tiles = toy.ATOMS.replace("torch.arange(12.0).reshape(3, 2, 2)", f"torch.ones({shape})")
    stages = []
    folder = toy.perform_here(toy.spec(toy.method_file(tmp_path, "flat", tiles)), stages.append)
    assert Result.read(folder / "result.json").status == "ok"
    assert not (folder / "atoms.npz").exists()
    shown = f"the atoms 'dictionary' have the shape ({shape}), expected (N, h, w)."
    assert stages[-1] == f"no look inside the method: {shown}"
