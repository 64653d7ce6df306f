"""What is found out later about a finished run reaches MLflow: it counts as changed, with new numbers and a map."""

from fabricate import png, result, run_directory

from bench.runs.records import Observed, Sensitivity
from bench.tracking import fields, mirror, views

LATER = {"device": "cpu", "commit": "c" * 40, "date": "2026-03-01T11:00:00+00:00"}


def test_a_run_with_later_records_is_another_one_to_log(tmp_path):
    folder = run_directory(tmp_path, result())
    before, pictures = fields.digest(folder), mirror.pictures(folder)
    assert fields.later(folder) == {}
    assert before
    observed = Observed(
        observer="0b5e7fe7",
        on="nodules:mini",
        primary="cpm",
        metrics={"cpm": {"higher_is_better": True, "of": "finding"}, "psnr": {"higher_is_better": True}},
        per_image={"a": {"cpm": 0.25, "psnr": 30.0}, "b": {"cpm": 0.75, "psnr": 20.0}},
        groups={"a": "a", "b": "b"},
        truth={"cpm": 0.9},
        **LATER,
    )
    (folder / "observed.json").write_text(observed.to_json())
    first = fields.digest(folder)
    shares = Sensitivity(region="lungs", inside={"a": 0.5, "b": 0.75}, area={"a": 0.2, "b": 0.2}, **LATER)
    (folder / "sensitivity.json").write_text(shares.to_json())
    (folder / "sensitivity.png").write_bytes(png())
    assert len({before, first, fields.digest(folder)}) == 3
    assert fields.later(folder) == {"observer_cpm": 0.5, "sensitivity_inside": 0.625}
    assert [key for key, _, _ in mirror.pictures(folder)][len(pictures) :] == [
        mirror.key(views.PICTURES, "sensitivity")
    ]
    assert fields.digest(tmp_path) == ""
