"""Records are written to JSON and read back as they were; what cannot be read is one line that names the file."""

import json

import pytest
from fabricate import failed, result

from bench.errors import BenchError
from bench.runs.records import Result, finished
from bench.sealed import checksum


@pytest.mark.parametrize("outcome", [result(), failed(), result(limit=6, label="few")])
def test_a_result_comes_back_as_it_was(outcome, tmp_path):
    (tmp_path / "result.json").write_text(outcome.to_json())
    assert Result.read(tmp_path / "result.json") == outcome


def test_numbers_stay_numbers_to_the_last_bit():
    third = 1 / 3
    outcome = result(per_image={"a": {"psnr": third, "ssim": 1.0}})
    assert Result.from_json(outcome.to_json()).per_image["a"]["psnr"] == third
    assert isinstance(json.loads(outcome.to_json())["parameters"], int)


def test_a_field_that_came_later_does_not_break_the_checksum():
    values = json.loads(result().to_json())
    for field in ("checksum", "nondeterministic"):
        del values[field]
    text = json.dumps(values | {"checksum": checksum(values)})
    assert Result.from_json(text).nondeterministic == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_only_finite_numbers_are_taken(bad):
    with pytest.raises(ValueError, match="finite"):
        result(seconds_per_image=bad)
    with pytest.raises(ValueError, match="expected finite numbers"):
        result(training={"seconds": bad})


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"key": "a"}'])
def test_text_that_holds_no_result_is_one_line(text, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(BenchError, match="is no valid result") as caught:
        Result.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not finished(tmp_path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"invented": 1}, "invented"),
        ({"format": 1}, "format"),
        ({"status": "fine"}, "status"),
        ({"method": "../tv"}, "method"),
        ({"track": "/etc/passwd"}, "track"),
        ({"label": "a/b"}, "label"),
        ({"key": "zz"}, "key"),
        ({"per_image": {"image-0": {"psnr": 1.0, "ssim": 1.0}}}, "1 of 6 test images have scores"),
        ({"limit": 4}, "6 of 4 test images have scores"),
        ({"primary": "nrmse"}, "primary metric 'nrmse'"),
        ({"groups": {}}, "groups and per_image name different images"),
    ],
)
def test_a_record_of_another_form_is_one_line_that_names_the_field(change, field, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(json.loads(result().to_json()) | change))
    with pytest.raises(BenchError) as caught:
        Result.read(path)
    assert str(path) in str(caught.value)
    assert field in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_one_line(content, tmp_path):
    path = tmp_path / "result.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BenchError, match="cannot read"):
        Result.read(path)


@pytest.mark.parametrize(("outcome", "expected"), [(result(), True), (failed(), False)])
def test_failed_is_not_finished(outcome, expected, tmp_path):
    (tmp_path / "result.json").write_text(outcome.to_json())
    assert finished(tmp_path) is expected
    unsupported = failed(status="unsupported")
    (tmp_path / "result.json").write_text(unsupported.to_json())
    assert finished(tmp_path)


def test_the_mean_is_over_images():
    scores = {"a": {"psnr": 20.0}, "b": {"psnr": 23.0}}
    assert result(per_image=scores).mean("psnr") == 21.5


def test_a_label_is_part_of_the_name():
    assert result().name == "tv"
    assert result(label="few").name == "tv@few"
