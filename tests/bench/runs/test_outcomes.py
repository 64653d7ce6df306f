"""An outcome becomes a record: numbers of any library are Python's, and warnings are told once."""

import warnings

import numpy as np
import pytest
import torch
import toy

from bench.errors import BenchError
from bench.runs.outcomes import Outcome, failed_result, outcome_directory, plain
from bench.runs.records import Result


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (torch.tensor(0.5), 0.5),
        (torch.tensor(2), 2),
        (float("inf"), "inf"),
        ((1, np.float32(0.5)), [1, 0.5]),
        ({"a": {"b": np.int8(1)}}, {"a": {"b": 1}}),
        (None, None),
        (True, True),
        ("hann", "hann"),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_values_are_plain(value, expected):
    (found,) = plain({"x": value}).values()
    assert found == expected
    assert type(found) is type(expected)


def test_a_run_that_wrote_nothing_has_a_failed_result(toys, shrink):
    spec = toy.spec(shrink, seed=2)
    result = failed_result(spec, "killed in /home/someone/x/bench/runs/run.py", 1.5)
    assert (result.status, result.key, result.seed, result.seconds) == ("failed", spec.key, 2, 1.5)
    assert result.reason == "killed in bench/runs/run.py"
    assert Result.from_json(result.to_json()) == result


def test_a_failed_run_never_replaces_a_finished_one(toys, store, shrink):
    folder = toy.perform_here(toy.spec(shrink))
    before = (folder / "result.json").read_bytes()
    failed = failed_result(toy.spec(shrink), "out of luck", 1.0).to_json()
    with pytest.raises(BenchError, match="out of luck"), outcome_directory(folder) as directory:
        (directory / "result.json").write_text(failed)
    assert (folder / "result.json").read_bytes() == before


def test_operations_without_a_deterministic_implementation_are_named_once():
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        for text in ("scatter_cuda does not have a deterministic implementation, but ...", "other\nwords") * 2:
            warnings.warn(text, stacklevel=1)
    outcome = Outcome(warnings=raised)
    assert outcome.warned == ["scatter_cuda does not have a deterministic implementation, but ...", "other words"]
    assert outcome.nondeterministic == ["scatter_cuda"]
