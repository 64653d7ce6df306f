"""A run depends on nothing but its own spec: neither on its neighbours in a grid nor on the runs before it."""

import toy
from toy_runs import results

from bench.runs.records import Result


def test_two_methods_each_have_their_own_neighbour_of_one_name(go, tmp_path, store):
    paths = []
    for name, gain in (("first", 1.0), ("second", 0.5)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "helpers.py").write_text(f"GAIN = {gain}\n")
        paths.append(toy.method_file(folder, name, "import helpers\nreturn helpers.GAIN * y"))
        toy.edit(paths[-1], "import torch\n", "import torch\nimport helpers\n")
    assert go(*paths, size=1) == 0
    found = results(store)
    alone = toy.method_file(tmp_path, "half", "return 0.5 * y")
    assert go(alone) == 0
    assert found["second"].per_image == results(store)["half"].per_image
    assert found["first"].per_image != found["second"].per_image


MEDDLERS = {
    "dtype": "torch.set_default_dtype(torch.float64)",
    "threads": "torch.set_num_threads(2)",
    "environment": "os.environ['TOY_MEDDLED'] = '1'",
    "path": "sys.path.insert(0, '/nowhere')",
}


def test_no_method_changes_what_the_next_one_sees(go, tmp_path, store):
    """Neither while it is imported nor while it runs."""
    paths = []
    for name, line in MEDDLERS.items():
        paths.append(toy.method_file(tmp_path, f"a_{name}", f"{line}\nreturn y"))
        toy.edit(paths[-1], "import torch\n", f"import torch\n{line}\n")
    body = (
        "assert torch.get_default_dtype() == torch.float32\nassert torch.get_num_threads() == 1\n"
        "assert 'TOY_MEDDLED' not in os.environ\nassert '/nowhere' not in sys.path\nreturn y"
    )
    assert go(*paths, toy.method_file(tmp_path, "z_looks", body), size=1) == 0
    assert results(store)["z_looks"].status == "ok"


def test_random_numbers_belong_to_an_image(go, tmp_path, store):
    """Alone, among others or in a run of two seeds: an image has the random numbers of the seed and its name."""
    body = "import random, numpy as np\n"
    body += "return y + 0.05 * torch.randn(y.shape) + 0.01 * float(np.random.rand()) + 0.01 * random.random()"
    path = toy.method_file(tmp_path, "sampler", body)
    assert go(path, seeds=[0, 1]) == 0
    assert go(path, limit=2) == 0
    found = [Result.read(path) for path in (store / "runs").glob("*/result.json")]
    whole, other, part = sorted(found, key=lambda one: (one.limit is not None, one.seed))
    assert part.per_image == {name: whole.per_image[name] for name in ("test-0", "test-1")}
    assert all(whole.per_image[name] != other.per_image[name] for name in whole.per_image)
