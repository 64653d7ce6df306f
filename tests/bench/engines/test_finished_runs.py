"""Finished runs are used again: their costs and their scores under shifts are records beside the result."""

import pytest
import toy

from bench.engines import finished_runs
from bench.errors import BenchError
from bench.places import runs
from bench.runs import run_directory
from bench.runs.records import Observed, Sensitivity, Stress, Timing
from bench.tracking.mirror import pictures


@pytest.fixture
def folder(go, shrink):
    assert go(shrink) == 0
    (folder,) = runs().glob("[0-9a-f]*")
    return folder


def test_a_run_is_timed_and_stressed_once(folder, lines):
    before = (folder / "result.json").read_bytes()
    for work, record in ((finished_runs.time_runs, Timing), (finished_runs.stress_runs, Stress)):
        assert work(["toy:mini"], [], again=False, report=lines.append) == 0
        assert record.read(folder / f"{record.__name__.lower()}.json")
        lines.clear()
        assert work(["toy:mini"], ["shrink"], again=False, report=lines.append) == 0
        assert lines == ["1 of 1 done, 0 to go"]
    assert (folder / "result.json").read_bytes() == before
    run_directory.whole(folder)


def test_scores_under_shifts_are_those_of_the_finished_run(folder, lines):
    assert finished_runs.stress_runs(["toy:mini"], [], again=False, report=lines.append) == 0
    stress, result = Stress.read(folder / "stress.json"), run_directory.whole(folder)
    assert set(stress.shifts) == {"random", "worst", "structure"}  # the toy track declares none of its own
    first = stress.shifts["random"][0]
    assert first.at == "0"
    assert all(result.per_image[image]["psnr"] == value for image, value in first.per_image.items())
    kept = result.hyperparameters["factor"]
    assert all(v == pytest.approx(100 * kept, abs=0.1) for v in stress.shifts["structure"][0].per_image.values())
    assert "16 of 16 points have scores" in lines[-1] or "14 of 14 points have scores" in lines[-1]
    assert sorted(path.name for path in folder.glob("*.png")) == [
        f"stress-{name}.png" for name in sorted(stress.shifts)
    ]
    shown = {key for key, _, path in pictures(folder) if path.parent == folder}
    assert shown == {f"shifts/{name}" for name in stress.shifts}


def test_a_pair_is_asked_for_by_its_outer_name_and_a_method_without_a_run_is_told(go, tmp_path, shrink, lines):
    reader = toy.method_file(tmp_path, "reader", toy.READER, "LearnedMethod")
    assert go(f"{reader}:reconstruction={shrink}", tracks=("toy:finding",)) == 0
    lines.clear()
    assert finished_runs.map_runs(["toy:finding"], ["reader", "tv"], again=False, report=lines.append) == 0
    assert lines[0] == "no finished run of tv on these tracks"
    assert "reader+shrink" in lines[-1]


def test_images_are_judged_by_the_observer_of_their_track(folder, lines):
    before = (folder / "result.json").read_bytes()
    assert finished_runs.observe_runs(["toy:mini"], [], again=False, report=lines.append) == 0
    observed, result = Observed.read(folder / "observed.json"), run_directory.whole(folder)
    assert (observed.on, observed.primary) == ("toy:finding", "overlap")
    assert set(observed.per_image) == set(result.per_image)
    assert observed.truth["overlap"] == 1.0 > observed.mean("overlap")  # it shrinks images
    assert (folder / "result.json").read_bytes() == before
    with pytest.raises(BenchError, match="toy:exact declares no observer"):
        finished_runs.observe_runs(["toy:exact"], [], again=False)
    with pytest.raises(BenchError, match="toy:mini declares no region that a finding should come from"):
        finished_runs.map_runs(["toy:mini"], [], again=False)


def test_findings_are_mapped(go, tmp_path, lines):
    body = """
    returns = ("finding",)

    def forward(self, y, physics):
        return Estimate(finding=torch.sigmoid(y.cumsum(-1).flip(-1)))
"""
    assert go(toy.method_file(tmp_path, "finder", body), tracks=("toy:finding",)) == 0
    assert finished_runs.map_runs(["toy:finding"], [], again=False, report=lines.append) == 0
    (folder,) = runs().glob("[0-9a-f]*")
    shares = Sensitivity.read(folder / "sensitivity.json")
    assert shares.region == "left"
    assert set(shares.area.values()) == {0.25}
    assert all(0.25 < share < 1 for share in shares.inside.values())  # the left moves all to its right
    assert (folder / "sensitivity.png").exists()
    run_directory.whole(folder)


def test_what_cannot_be_used_again_is_one_line(folder, lines, store):
    with pytest.raises(BenchError, match="no finished run of tv on these tracks"):
        finished_runs.stress_runs(["toy:mini"], ["tv"], again=False)
    (folder / "source" / "shrink.py").unlink()
    assert finished_runs.stress_runs(["toy:mini"], [], again=False, report=lines.append) == 1
    assert lines[-1].startswith("[1/1] FAILED: ")
    assert toy.MINI.id == "toy:mini"


def test_a_record_that_was_cut_short_is_made_again(folder, lines):
    assert finished_runs.time_runs(["toy:mini"], [], again=False, report=lines.append) == 0
    path = folder / "timing.json"
    path.write_text(path.read_text()[:40])
    assert finished_runs.time_runs(["toy:mini"], [], again=False, report=lines.append) == 0
    assert Timing.read(path)


def test_a_method_that_is_not_there_is_told_with_those_that_are(folder):
    with pytest.raises(BenchError, match="no method is called 'shrimp'"):
        finished_runs.stress_runs(["toy:mini"], ["shrimp"], again=False)
