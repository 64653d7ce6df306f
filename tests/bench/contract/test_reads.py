"""Files that a method reads are part of the key of its runs: declared, or found and told."""

import sys
from pathlib import Path

import numpy as np
import pytest
import toy

from bench.contract.method import Method
from bench.contract.reads import declared
from bench.engines.describe import describe
from bench.errors import BenchError
from bench.runs.records import Result

HERE = "os.path.join(os.path.dirname(os.path.abspath(__file__)), 'weights.npy')"
LOAD = f"__import__('numpy').load({HERE})"


def weights(folder: Path, value: float = 0.5, name: str = "weights.npy") -> None:
    np.save(folder / name, np.array(value))


def results(store):
    return [Result.read(path) for path in sorted((store / "runs").glob("[0-9a-f]*/result.json"))]


DECLARING = f"""
    files = ("weights.npy",)

    def forward(self, y, physics):
        return y * float({LOAD})
"""


def test_a_declared_file_is_part_of_the_key(plan, tmp_path):
    weights(tmp_path)
    path = toy.method_file(tmp_path, "mine", DECLARING)
    (first,), _ = plan(path)
    (same,), _ = plan(path)
    weights(tmp_path, 0.25)
    (other,), _ = plan(path)
    assert first.key == same.key != other.key
    assert set(first.method.sources) == {"mine.py", "weights.npy"}
    assert set(first.method.files) == {"mine.py"}  # its text is kept, weights are not


def test_a_declared_file_may_be_read_and_no_other(go, tmp_path, store, lines):
    weights(tmp_path)
    weights(tmp_path, name="other.npy")
    assert go(toy.method_file(tmp_path, "mine", DECLARING)) == 0
    assert go(toy.method_file(tmp_path, "rest", DECLARING.replace("weights.npy')", "other.npy')"))) == 1
    assert "the method reads other.npy, which is no part of its key. Declare it in the class: files = " in lines[-1]


UNDECLARED = {
    "when it is imported": "    WEIGHTS = " + LOAD + "\n\n    def forward(self, y, physics):\n        return y\n",
    "in its class methods": "    @classmethod\n    def supports(cls, track):\n        " + LOAD
    + "\n\n    def forward(self, y, physics):\n        return y\n",
    "when it is constructed": "    def __init__(self):\n        super().__init__()\n        self.w = float(" + LOAD
    + ")\n\n    def forward(self, y, physics):\n        return y\n",
    "when it runs": "    def forward(self, y, physics):\n        return y * float(" + LOAD + ")\n",
    "in a thread": "    def forward(self, y, physics):\n        import concurrent.futures as f\n"
    "        with f.ThreadPoolExecutor() as pool:\n            return y * float(pool.submit(read).result())\n\n\n"
    "def read():\n    return " + LOAD + "\n",
    "and hides the error": "    def forward(self, y, physics):\n        try:\n            return y * float(" + LOAD
    + ")\n        except Exception:\n            return y\n",
    "while it is tuned": "    search_space = {'a': Float(0.1, 1.0)}\n\n    def __init__(self, a=0.5):\n"
    "        super().__init__()\n\n    def forward(self, y, physics):\n        return y * float(" + LOAD + ")\n",
    "by a relative name": "    def forward(self, y, physics):\n        os.chdir(os.path.dirname(__file__))\n"
    "        open('weights.npy', 'rb').close()\n        return y\n",
    "by a link": "    def forward(self, y, physics):\n        open(" + HERE.replace("weights.npy", "link.npy")
    + ", 'rb').close()\n        return y\n",
    "by its number": "    def forward(self, y, physics):\n        os.close(os.open(" + HERE
    + ", os.O_RDONLY))\n        return y\n",
}  # fmt: skip


def test_every_undeclared_file_is_found(go, tmp_path, lines):
    paths = []
    for number, body in enumerate(UNDECLARED.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        weights(folder)
        (folder / "link.npy").symlink_to("weights.npy")
        paths.append(toy.method_file(folder, f"mine{number}", body))
    assert go(*paths) == len(paths)
    for number, case in enumerate(UNDECLARED):
        told = [line for line in lines if f"mine{number}" in line]
        assert any("reads weights.npy, which is no part of its key" in line for line in told), (case, told)


HARMLESS = """
    def forward(self, y, physics):
        import tempfile
        import skimage.data
        skimage.data.camera()                       # of an installed package
        folder = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(folder, "own.txt"), "w") as file:
            file.write("made by the method itself")
        open(os.path.join(folder, "own.txt")).close()
        try:
            open(os.path.join(folder, "absent.txt"))
        except FileNotFoundError:
            pass
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        import neighbour
        return y
"""


def test_what_it_writes_itself_and_what_is_absent_or_of_a_package_is_no_fault(go, tmp_path, store):
    (tmp_path / "neighbour.py").write_text("A = 1\n")
    assert go(toy.method_file(tmp_path, "mine", HARMLESS)) == 0
    (result,) = results(store)
    assert set(result.sources) == {"mine.py", "neighbour.py"}


def test_a_module_that_is_imported_by_a_name_made_at_run_time_is_found(go, tmp_path, lines):
    (tmp_path / "hidden.py").write_text("A = 1\n")
    body = "__import__('importlib').import_module('hid' + 'den')\nreturn y"
    assert go(toy.method_file(tmp_path, "mine", body)) == 1
    assert "the method reads hidden.py, which is no part of its key" in lines[-1]


def test_a_file_that_changes_after_the_command_has_started_fails_the_run(plan, tmp_path, lines, store):
    from bench.engines.local import LocalEngine
    from bench.engines.pending_runs import run_grid

    weights(tmp_path)
    specs, _ = plan(toy.method_file(tmp_path, "mine", DECLARING))
    weights(tmp_path, 0.25)
    assert run_grid(specs, LocalEngine(1), report=lines.append) == 1
    assert "weights.npy was edited after the command had started. Type the command again." in lines[-1]


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        (("absent.npy",), "holds no such file"),
        (("../x.npy",), "reads files of its own folder"),
        (("/etc/passwd",), "reads files of its own folder"),
        (("sub",), "holds no such file"),
        ("weights.npy", "Declare a tuple of names"),
        ((3,), "Declare a tuple of names"),
    ],
)
def test_a_declaration_that_names_no_file_of_the_folder_is_one_line(tmp_path, files, rule):
    folder = tmp_path / "method"
    (folder / "sub").mkdir(parents=True)
    np.save(tmp_path / "x.npy", np.zeros(1))
    with pytest.raises(BenchError, match=rule):
        declared(type("Mine", (Method,), {"files": files}), folder)


def test_names_may_lie_deeper(tmp_path):
    (tmp_path / "sub").mkdir()
    weights(tmp_path / "sub")
    found = declared(type("Mine", (Method,), {"files": ("sub/weights.npy", "sub/../sub/weights.npy")}), tmp_path)
    assert found == {"sub/weights.npy": tmp_path / "sub" / "weights.npy"}


PACKAGE = {
    "pack/__init__.py": "",
    "pack/inner/__init__.py": "",
    "pack/inner/method.py": '"""x = y"""\nfrom bench import Method\nfrom pack.shared import scale\n\n\n'
    "class Mine(Method):\n    def forward(self, y, physics):\n        return y * scale\n",
    "pack/shared.py": "scale = 0.5\n",
    "pack/unrelated.py": "A = 1\n",
    "single.py": '"""x = y"""\nimport numpy\nimport helper\nfrom bench import Method\n\n\n'
    "class Mine(Method):\n    def forward(self, y, physics):\n        return y\n",
    "helper.py": "B = 1\n",
    "numpy/__init__.py": "raise ImportError('of another distribution')\n",
    "info-1.dist-info/RECORD": "pack/__init__.py,,\nsingle.py,,\nhelper.py,,\n../../bin/x.py,,\n",
    "info-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: info\nVersion: 1\n",
    "info-1.dist-info/entry_points.txt": "[reconbench.methods]\npacked = pack.inner.method:Mine\nalone = single:Mine\n",
}


def test_the_modules_of_an_entry_points_package_are_its_sources(toys, tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    for name, text in PACKAGE.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(str(site))

    def sources(name):
        for module in [module for module in sys.modules if module.partition(".")[0] in ("pack", "single", "helper")]:
            del sys.modules[module]
        return describe(name, ["toy:mini"], {}, None)["toy:mini"]["sources"]

    packed, alone = sources("packed"), sources("alone")
    names = {"__init__.py", "inner/__init__.py", "inner/method.py", "shared.py", "unrelated.py"}
    assert set(packed) == names
    assert set(alone) == {"single.py", "helper.py"}
    (site / "pack/shared.py").write_text("scale = 0.25\n")
    changed = sources("packed")
    assert {name for name in names if changed[name] != packed[name]} == {"shared.py"}
    assert sources("alone") == alone
    (site / "helper.py").write_text("B = 2\n")
    assert sources("alone") != alone
    assert sources("packed") == changed
