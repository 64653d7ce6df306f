"""Scores of two devices are compared image by image, each difference as a multiple of its tolerance."""

from types import SimpleNamespace

import pytest

from bench.sealed import MetricInfo
from tests.gpu_check import agreement, scores
from tests.gpu_check.contract import rows_of
from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, OK
from tests.gpu_check.scores import DECIBELS, RELATIVE

METRICS = {"psnr": MetricInfo(higher_is_better=True, unit="dB"), "ssim": MetricInfo(higher_is_better=True)}


def made(psnr, ssim):
    per_image = {str(i): {"psnr": a, "ssim": b} for i, (a, b) in enumerate(zip(psnr, ssim, strict=True))}

    def mean(name):
        return sum(row[name] for row in per_image.values()) / len(per_image)

    return SimpleNamespace(metrics=METRICS, per_image=per_image, mean=mean)


def test_the_worst_image_counts_in_decibels_or_relative():
    reference, other = made([30, 25], [0.9, 0.5]), made([30 + DECIBELS / 2, 25 - 2 * DECIBELS], [0.9, 0.5])
    assert scores.differences(reference, other.per_image) == pytest.approx({"psnr": 2, "ssim": 0})
    reference, other = made([30], [0.5]), made([30], [0.5 * (1 + 3 * RELATIVE)])
    assert scores.differences(reference, other.per_image) == pytest.approx({"psnr": 0, "ssim": 3})


def test_a_method_that_does_not_agree_is_named_with_its_track():
    reference, near, far = made([30], [0.9]), made([30.001], [0.9]).per_image, made([31], [0.9]).per_image
    found = {("ct", "tv"): near, ("mri", "tv"): far, ("ct", "nlm"): near, ("ct", "unet"): "broke"}
    rows = list(agreement.compare(dict.fromkeys(found, reference), found))
    assert [(row.verdict, row.what) for row in rows] == [
        (FAILED, "tv on mri"),
        (FAILED, "unet on ct"),
        (FAILED, "tv"),
        (OK, "nlm"),
    ]
    assert rows[0].found == "psnr 30.0000 on the CPU, 31.0000 dB here"
    assert rows[1].found == "broke"


def test_a_method_has_one_mini_track_of_every_task(monkeypatch):
    plan = Plan("cpu", (), False, 1, 1.0, "", "")
    tracks = scores.tracks(plan)

    def but(*left_out):
        return {track.id: SimpleNamespace(unsupported=track.id in left_out, learned=False) for track in tracks}

    monkeypatch.setattr(scores, "methods", lambda plan: ["tv", "sense"])
    monkeypatch.setattr(scores, "describe_all", lambda *arguments: [but(), but("mri:mini")])
    monkeypatch.setattr(scores, "specs_of", lambda track, *rest, **more: (track.id,))
    found = scores.specs(plan, None, "cpu", 1, None, print)
    tasks = list(dict.fromkeys(track.task for track in tracks))
    for name in ("tv", "sense"):
        assert [track.partition(":")[0] for track, method in found if method == name] == tasks
    assert ("mri:mini", "tv") in found
    assert ("mri:mini-multicoil", "sense") in found


def test_every_method_has_a_part_in_the_first_round_and_the_slowest_goes_first():
    slow = {(track, "slow"): 9 - i for i, track in enumerate("abcdef"[: agreement.TOGETHER + 1])}
    seconds = slow | {("a", "quick"): 1}
    references = {pair: SimpleNamespace(key=str(value), seconds=value) for pair, value in seconds.items()}
    tasks = [task.arguments[0] for task in agreement.work(references, "cpu")]
    assert [next(iter(task))[1] for task in tasks] == ["slow", "quick", "slow"]
    assert {pair: key for task in tasks for pair, key in task.items()} == {p: str(v) for p, v in seconds.items()}
    assert max(map(len, tasks)) <= agreement.TOGETHER


def test_the_contract_tells_the_farthest_image_and_what_is_not_repeatable():
    remarks = [
        "blur: agrees with the CPU: differs by 2.0e-06",
        "mri: agrees with the CPU: differs by 3.0e-04, where the last digit of y moves it by 1.0e-04",
        "mri: deterministic: differs by 1.0e-07: index_add_cuda_ cannot be deterministic there",
    ]
    (row,) = rows_of("tv", (43, [], remarks), "", 3.0)
    assert row.verdict == OK
    assert row.found == "43 checks (3 s), at most 3e-04 from the CPU, not bit for bit on 1 operators (index_add_cuda_)"
    (row,) = rows_of("tv", (12, [], [*remarks[:1], "9 operators not tried for lack of time"]), "", 3.0)
    assert (row.verdict, row.found) == (
        OK,
        "12 checks (3 s), at most 2e-06 from the CPU, 9 operators not tried for lack of time",
    )
    assert [row.verdict for row in rows_of("tv", (43, ["mri: finite: NaN"], remarks), "", 3.0)] == [FAILED]
    assert [row.found for row in rows_of("tv", None, "it broke", 3.0)] == ["it broke"]


def test_scores_that_a_method_lacks_are_left_out():
    reference = made([30], [0.9])
    reference.per_image = {"0": {"psnr": 30.0}}  # it makes no image, say, and the track has a score of images
    assert scores.differences(reference, {"0": {"psnr": 30.0}}) == {"psnr": 0}
