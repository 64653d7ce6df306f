"""A method's declarations are read in a process of its own: whatever breaks there is one line, and the others run."""

import time
from pathlib import Path

import pytest
import toy

from bench.contract import registry
from bench.engines import describe as describing
from bench.engines.describe import cache_path, describe
from bench.errors import BenchError

IMPORT = "from bench import Float, Method\n"
# name -> (text of the file, the line that is told)
UNIMPORTABLE = {
    "lacking": ("import absent_package\n", "method lacking needs the package 'absent_package'. Install it with pip."),
    "syntax": ("def broken(:\n", "method syntax cannot be imported: SyntaxError: "),
    "none": ("", "method file none defines 0 public Method classes; it must define one."),
    "raises": ("raise RuntimeError('two\\nlines')\n", "method raises cannot be imported: RuntimeError: two lines"),
    "quits": ("import sys\nsys.exit(0)\n", "method quits cannot be imported: SystemExit: 0"),
    "exits": ("import os\nos._exit(0)\n", "the process ended with exit status 0"),
    "killed": ("import os\nos.kill(os.getpid(), 9)\n", "the process was killed by signal 9 (out of memory?)"),
    "loops": ("while True: pass\n", "it went over its time of 2 s"),
    "answers": (
        IMPORT + "class A(Method):\n    @classmethod\n    def supports(cls, track): return True\n",
        "supports() returned True. It returns None, or the reason why not as a text.",
    ),
    "refuses": (
        IMPORT + "class A(Method):\n    @classmethod\n    def supports(cls, track): return False\n",
        "supports() returned False. It returns None, or the reason why not as a text.",
    ),
    "mute": (
        IMPORT + "class A(Method):\n    @classmethod\n    def supports(cls, track): return ''\n",
        "supports() returned ''. It returns None, or the reason why not as a text.",
    ),
    "tuples": (
        IMPORT
        + "class A(Method):\n    search_space = {'a': (0, 1)}\n    def __init__(self, a=1): super().__init__()\n",
        "the range of 'a' is (0, 1). Declare it as Float, Int or Choice (bench).",
    ),
    "upside": (
        IMPORT
        + "class A(Method):\n    search_space = {'a': Float(1, 0)}\n    def __init__(self, a=1): super().__init__()\n",
        "the range of 'a' goes from 1 to 0. low must be below high.",
    ),
    "absent": (
        IMPORT + "class A(Method):\n    search_space = {'b': Float(0, 1)}\n",
        "'b' is searched, but the constructor has no such argument.",
    ),
}


def test_every_broken_declaration_is_one_line_and_the_others_run(go, tmp_path, store, lines, shrink, monkeypatch):
    monkeypatch.setattr(describing, "TIME", 2.0)
    paths = []
    for name, (text, _) in UNIMPORTABLE.items():
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        paths.append(str(path))
    assert go(*paths, shrink) == len(UNIMPORTABLE)
    for name, (_, reason) in UNIMPORTABLE.items():
        (line,) = [line for line in lines if line.startswith("failed  ") and f"{name}.py: " in line]
        assert reason in line
        assert "\n" not in line
    assert len(lines) == len(UNIMPORTABLE) + 1
    assert "psnr" in lines[-1]
    assert len(list((store / "runs").glob("*/result.json"))) == 1


def test_a_description_holds_what_the_method_declares(toys, tmp_path):
    path = Path(toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod"))
    path.write_text(path.read_text().replace('"""net, a toy"""', '"""x = N(y)\n\nA. Uthor,\n2026.\n\nWords."""'))
    found = describe(str(path), ["toy:mini", "toy:exact"], {}, None)
    assert set(found) == {"toy:mini", "toy:exact"}
    one = found["toy:mini"]
    assert (one["name"], one["family"], one["learned"]) == ("net", "external", True)
    assert (one["equation"], one["citation"]) == ("x = N(y)", "A. Uthor, 2026.")
    assert one["recipe"] == {"learning_rate": 1e-3, "gradient_clip": 1.0, "warm_up": 0.1}
    assert one["files"] == {"net.py": path.read_text()}
    assert set(one["sources"]) == {"net.py"}


def test_a_method_of_the_suite_keeps_no_copy_of_its_sources():
    found = describe("tv", ["denoising:mini"], {}, None)["denoising:mini"]
    assert (found["name"], found["family"], found["files"]) == ("tv", "handcrafted", {})
    assert "baselines/handcrafted/tv.py" in found["sources"]
    assert found["space"]["lam"].startswith("Float(")


def test_a_space_is_not_asked_for_where_the_method_does_not_apply(toys, tmp_path):
    body = (
        "    @classmethod\n    def supports(cls, track):\n        return 'no\\n  k-space'\n"
        "    @classmethod\n    def space(cls, track):\n        raise AssertionError('asked')\n"
    )
    found = describe(toy.method_file(tmp_path, "picky", body), ["toy:mini"], {}, None)["toy:mini"]
    assert (found["unsupported"], found["space"]) == ("no k-space", {})


def test_one_description_costs_no_seconds(toys, shrink):
    registry.track("toy")
    start = time.monotonic()
    describe(shrink, ["toy:mini"], {}, None)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("asked", [{"facto": 1}, {"factor": "high"}])
def test_a_wrong_hyperparameter_is_refused(toys, shrink, asked):
    with pytest.raises(BenchError, match="factor"):
        describe(shrink, ["toy:mini"], asked, None)


@pytest.mark.parametrize(
    ("name", "hyperparameters", "kept"),
    [
        ("tv", {"lam": 0.1}, True),
        ("direct", {"window": "hann"}, True),
        ("two_stage", {"reconstruction": "tv"}, True),
        ("two_stage+tv", {}, True),
        ("two_stage", {"reconstruction": "MINE"}, False),
        ("MINE", {}, False),
    ],
)
def test_descriptions_are_kept_of_our_own_code_alone(tmp_path, name, hyperparameters, kept):
    file = tmp_path / "mine.py"
    file.write_text("")
    path = {"MINE": str(file)}
    asked = {key: path.get(value, value) for key, value in hyperparameters.items()}
    assert (cache_path(path.get(name, name), asked, []) is not None) == kept


def test_an_inner_method_takes_no_values_by_hand():
    with pytest.raises(BenchError, match="an inner method has no values by hand"):
        describe("two_stage", ["nodules:mini"], {"reconstruction": "tv:lam=0.1"}, print)
