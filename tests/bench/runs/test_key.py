"""Keys: what moves a score changes them, what does not leaves them alone."""

import sys

import pytest
import toy

from bench.contract import registry
from bench.runs import key, provenance

pytestmark = pytest.mark.usefixtures("toys")


def keys_of(path, **options):
    spec = toy.spec(path, **options)
    return spec.key, spec.group


def test_the_same_spec_has_the_same_key(shrink):
    assert keys_of(shrink) == keys_of(shrink)


def test_the_seed_changes_the_key_and_not_the_group(shrink):
    (first, group), (second, same) = keys_of(shrink, seed=0), keys_of(shrink, seed=1)
    assert first != second
    assert group == same


def test_which_seeds_were_asked_for_together_changes_nothing(shrink):
    assert keys_of(shrink, seeds=[0]) == keys_of(shrink, seeds=[0, 1, 2])


@pytest.mark.parametrize(
    "changes",
    [
        {"hyperparameters": {"factor": 0.5}},
        {"limit": 2},
        {"label": "other"},
        {"control": "defaults"},
        {"control": "oracle"},
        {"devices": 2},
        {"accelerator": "cuda"},
        {"threads": 2},
        {"track": "toy:exact"},
    ],
)
def test_what_moves_scores_changes_key_and_group(shrink, changes):
    assert not set(keys_of(shrink)) & set(keys_of(shrink, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"options": {"sigma": 0.2}},
        {"budget": toy.Budget(trials=4, images=2, steps=10, batch=2)},
        {"budget": toy.Budget(trials=3, images=2, steps=10, batch=2, seconds=60.0)},
        {"metrics": (toy.Metric("psnr", "toy:psnr", True, {"data_range": 2.0}), toy.MINI.metrics[1])},
        {"metrics": toy.MINI.metrics[::-1]},
    ],
)
def test_scored_fields_of_a_track_change_the_key(shrink, monkeypatch, changes):
    before = keys_of(shrink)
    monkeypatch.setattr(registry, "track", lambda name: toy.track("mini", **changes))
    assert not set(before) & set(keys_of(shrink))


@pytest.mark.parametrize("changes", [{"title": "Other words"}, {"citation": "A. Uthor, 2026"}, {"split_unit": "scene"}])
def test_words_of_a_track_change_no_key(shrink, monkeypatch, changes):
    before = keys_of(shrink)
    monkeypatch.setattr(registry, "track", lambda name: toy.track("mini", **changes))
    assert keys_of(shrink) == before


def test_steps_change_the_key_of_a_method_that_trains_alone(shrink, tmp_path):
    network = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    assert keys_of(shrink) == keys_of(shrink, steps=5)
    assert not set(keys_of(network)) & set(keys_of(network, steps=5))


def test_the_recipe_of_a_learned_method_is_part_of_its_key(tmp_path, monkeypatch):
    """Also where it is inherited from `bench`."""
    from bench.contract.method import LearnedMethod

    path = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    before = keys_of(path)
    monkeypatch.setattr(LearnedMethod, "learning_rate", 5e-4)
    assert keys_of(path) != before


def test_code_changes_the_key_and_words_do_not(shrink):
    before = keys_of(shrink)
    toy.edit(shrink, "return self.factor * y", "return self.factor * y  # shrinks\n")
    toy.edit(shrink, "def forward(self, y, physics):", 'def forward(self, y, physics):\n        """Shrink."""\n')
    toy.edit(shrink, '"""shrink, a toy"""', '"""x = f y\n\nOther words."""\n# and a comment')
    assert keys_of(shrink) == before
    toy.edit(shrink, "self.factor * y", "y * self.factor")
    assert not set(before) & set(keys_of(shrink))


def test_a_range_changes_the_key(shrink):
    before = keys_of(shrink)
    toy.edit(shrink, "Float(0.1, 1.0)", "Float(0.1, 2.0)")
    assert not set(before) & set(keys_of(shrink))


HELPERS = {
    "a module": ("toy_gain.py", "import toy_gain\nreturn toy_gain.GAIN * y"),
    "a name of a module": ("toy_gain.py", "from toy_gain import GAIN\nreturn GAIN * y"),
    "a package": ("toy_pack/__init__.py", "from toy_pack import GAIN\nreturn GAIN * y"),
    "a module of a package": ("toy_pack/deep/gain.py", "from toy_pack.deep.gain import GAIN\nreturn GAIN * y"),
}


@pytest.mark.parametrize("inside", [True, False], ids=["inside forward", "at the top"])
@pytest.mark.parametrize("case", HELPERS)
def test_a_changed_neighbour_changes_the_key(tmp_path, case, inside):
    file, body = HELPERS[case]
    helper = tmp_path / file
    helper.parent.mkdir(parents=True, exist_ok=True)
    for folder in [path for path in helper.parents if path.is_relative_to(tmp_path) and path != tmp_path]:
        (folder / "__init__.py").write_text("")
    helper.write_text("GAIN = 1\n")
    path = toy.method_file(tmp_path, "mine", body)
    if not inside:
        line = body.partition("\n")[0]
        toy.edit(path, f"        {line}\n", "")
        toy.edit(path, "import torch\n", f"import torch\n{line}\n")
    before = keys_of(path)
    helper.write_text("GAIN = 1  # one\n")
    assert keys_of(path) == before
    helper.write_text("GAIN = 2\n")
    assert not set(before) & set(keys_of(path))


def test_a_neighbour_that_is_loaded_by_its_text_changes_the_key_too(tmp_path):
    """No import statement names it."""
    (tmp_path / "toy_hidden.py").write_text("GAIN = 1\n")
    path = toy.method_file(tmp_path, "mine", "return y")
    toy.edit(
        path, "import torch\n", "import torch\nimport importlib\nGAIN = importlib.import_module('toy_hidden').GAIN\n"
    )
    before = toy.spec(path)
    assert "toy_hidden.py" in before.method.files
    del sys.modules["toy_hidden"]  # as in a new process
    (tmp_path / "toy_hidden.py").write_text("GAIN = 2\n")
    assert toy.spec(path).key != before.key


def test_the_code_of_a_task_from_outside_and_of_its_neighbours_changes_the_key(shrink, tmp_path, monkeypatch):
    site = tmp_path / "site"
    toy.install(site, "outer_toy")
    (site / "outer_part.py").write_text("NOISE = 1\n")
    (site / "outer_toy.py").write_text(
        "from toy import *\nimport outer_part\nTASK = Task('outer_toy', 'x', (MINI,), open_track)\n"
    )
    monkeypatch.syspath_prepend(str(site))
    outer = lambda: toy.spec(shrink, "outer_toy:mini").key  # noqa: E731
    monkeypatch.setattr(registry, "track", lambda name: toy.track("mini", task=name.partition(":")[0]))
    keys = [outer()]
    for file in ("outer_toy.py", "outer_part.py"):
        with (site / file).open("a") as text:
            text.write("# words\n")
        assert outer() == keys[-1]
        with (site / file).open("a") as text:
            text.write("MORE = 1\n")
        keys.append(outer())
    assert len(set(keys)) == 3


TASK_PACKAGE = {
    "lab/__init__.py": "",
    "lab/tasks/__init__.py": "",
    "lab/tasks/outer.py": "from toy import *\nfrom lab.physics import NOISE\nfrom ..phantoms import x\nimport further\n"
    "TASK = Task('outer', 'x', (MINI,), open_track)\n",
    "lab/physics.py": "NOISE = 1\n",
    "lab/phantoms.py": "x = 1\n",
    "lab/metrics.py": "# named by a text alone, as `lab.metrics:psnr`\n",
    "further.py": "A = 1\n",
    "stranger.py": "A = 1\n",
    "lab-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: lab\nVersion: 1\n",
    "lab-1.dist-info/RECORD": "lab/__init__.py,,\nfurther.py,,\n",
    "lab-1.dist-info/entry_points.txt": "[reconbench.tasks]\nouter = lab.tasks.outer:TASK\n",
}


@pytest.mark.parametrize("folder", ["site-packages", "project"])
def test_every_module_of_an_installed_task_package_is_in_the_key(tmp_path, monkeypatch, folder):
    site = tmp_path / folder
    for name, text in TASK_PACKAGE.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(str(site))
    before = provenance.task_sources("outer")
    own = {name for name in TASK_PACKAGE if name.endswith(".py")} - {"stranger.py"}
    assert set(before) == own
    assert "lab" not in sys.modules  # nothing is imported for it
    for name in [*own, "stranger.py"]:
        with (site / name).open("a") as text:
            text.write("MORE = 1\n")
        after = provenance.task_sources("outer")
        assert {one for one in own if after[one] != before[one]} == {name} & own
        before = after


def test_our_own_tasks_count_by_their_scored_fields():
    assert provenance.task_sources("denoising") == {}


@pytest.mark.parametrize(
    ("package", "moves"), [("torch", True), ("scipy", True), ("optuna", True), ("torchmetrics", False)]
)
def test_versions_of_packages_that_move_scores_change_the_key(shrink, monkeypatch, package, moves):
    before = keys_of(shrink)
    installed = provenance.versions()
    monkeypatch.setattr(provenance, "versions", lambda: installed | {package: "99"})
    assert (keys_of(shrink) != before) is moves


def test_the_protocol_of_the_referee_changes_the_key(shrink, monkeypatch):
    before = keys_of(shrink)
    monkeypatch.setattr(key, "PROTOCOL", key.PROTOCOL + 1)
    assert not set(before) & set(keys_of(shrink))


def test_checksums_of_the_data_change_the_key(shrink, monkeypatch):
    from bench.data import manifest

    monkeypatch.setattr(registry, "track", lambda name: toy.track("mini", data=("bsd68",)))
    before = keys_of(shrink)
    real = manifest.manifest

    class Changed:
        files = dict(real("bsd68").files) | {"new.png": "0" * 64}

    monkeypatch.setattr(manifest, "manifest", lambda name: Changed)
    assert not set(before) & set(keys_of(shrink))


def test_the_order_of_names_changes_no_hash():
    assert key.digest({"a": 1, "b": 2}) == key.digest({"b": 2, "a": 1}) != key.digest({"a": 2, "b": 1})
