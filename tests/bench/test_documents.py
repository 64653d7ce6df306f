"""Files that the documents show whole are put to the contract, as a reader's own copy would be."""

import re
from dataclasses import replace

import pytest

from bench.contract.checks import check
from bench.contract.registry import load_method
from bench.places import ROOT
from bench.task_checks.checks import check_track
from bench.task_checks.opened import Opened

FILES = re.findall(r"^```python\n(\"\"\".*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)
TASKS = [text for text in FILES if "\nTASK = " in text]
METHODS = [text for text in FILES if "\nTASK = " not in text]


def test_there_are_whole_files_of_both_kinds():
    assert TASKS
    assert METHODS


@pytest.mark.parametrize("text", TASKS, ids=lambda text: text.splitlines()[0])
def test_a_shown_task_passes_every_check(text):
    namespace = {}
    exec(compile(text, "shown.py", "exec"), namespace)
    for track in namespace["TASK"].tracks:
        few = replace(track, budget=replace(track.budget, steps=4))
        failed = [one for one in check_track(Opened(namespace["TASK"], few)) if not one.passed]
        assert not failed


@pytest.mark.parametrize("text", METHODS, ids=lambda text: text.splitlines()[0])
def test_a_shown_method_passes_every_check(text, tmp_path):
    path = tmp_path / "shown.py"
    path.write_text(text)
    assert not [one for one in check(load_method(str(path))) if not one.passed]
