"""What is ranked, why the rest is not, and in which order a board shows them."""

import dataclasses
import random

import pytest
from fabricate import PROTOCOL, failed, result, sources

from bench.leaderboard import board_rows, selection
from bench.leaderboard.entries import Renewed

CHANGED = {"baselines/handcrafted/tv.py": "0123456789abcdef"}


def noisy(method, level, images=8, seed=0, **changes):
    """Scores on images that differ more than methods do, so that a paired comparison has something to tell apart."""
    rng = random.Random(f"{method} {seed}")
    scores = {f"image-{i}": {"psnr": level + i + rng.gauss(0, 0.1), "ssim": 0.8} for i in range(images)}
    return result(method, seed, per_image=scores, **changes)


def trained(method="unet", level=25.0, over=(0, 1, 2), **changes):
    return [noisy(method, level, seed=s, seeds=list(over), learned=True, **changes) for s in over]


def board(results, now):
    made, problems = selection.entries(results, now)
    assert not problems
    (found,) = board_rows.boards(made, now)
    return found


def shown(results, now):
    return [(row.entry.name, row.place.order if row.place else None) for row in board(results, now).rows]


def reason(results, now):
    """Why the one entry of these results is not ranked."""
    (row,) = board(results, now).rows
    assert (row.place is None) == bool(row.reason)
    return row.reason


def test_protocol_rows_of_current_committed_code_are_ranked(now):
    assert reason([noisy("tv", 26)], now) == ""
    assert reason(trained(), now) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sources": CHANGED}, "stale: the code of the method has changed since"),
        ({"protocol_version": PROTOCOL - 1}, "stale: version 1 of the referee's protocol, now 2"),
        ({"scored": "0" * 8}, "stale: the track has changed since"),
        ({"task_version": 0}, "outdated: version 0 of the track, now 1"),
        ({"dirty": True, "dirty_reason": "tv.py"}, "uncommitted changes: tv.py"),
        ({"label": "data=gaussian", "requested": {"data": "gaussian"}}, "values by hand: data=gaussian"),
        ({"label": "mine", "protocol": True}, "beyond the protocol, as its label says"),
        ({"label": "steps=100"}, "beyond the protocol, as its label says"),
        (
            {"label": "steps=100", "learned": True, "training": {"steps": 100}},
            "beyond the protocol, as its label says: 100 of the track's 350 training steps",
        ),
        ({"label": "oracle", "control": "oracle"}, "tuned on the test set"),
        ({"label": "defaults", "control": "defaults"}, "not tuned"),
        ({"learned": True}, "trained on 1 of the 3 seeds that a rank needs"),
    ],
)
def test_what_is_not_ranked_says_why(now, changes, told):
    assert reason([noisy("tv", 26, **changes)], now) == told


def test_a_part_of_the_test_set_is_not_ranked(now):
    few = {c: {"psnr": 99.0, "ssim": 1.0} for c in "ab"}
    assert reason([result("tv", label="limit=2", limit=2, per_image=few)], now) == "only the first 2 test images"


def test_a_method_that_failed_on_one_seed_is_not_ranked_by_the_others(now):
    group = [*trained()[:2], failed("unet", 2, seeds=[0, 1, 2], learned=True)]
    assert reason(group, now) == "seed 2 failed: x_hat is not finite"


def test_seeds_that_were_asked_for_and_never_ran_are_missed(now):
    assert reason([noisy("tv", 26, seeds=[0, 1])], now) == "incomplete: 1 of 2 seeds"


def test_the_best_score_does_not_make_a_first(now):
    """Rows that led boards once: tuned by label, dirty, of changed code, with too few seeds."""
    rows = [
        noisy("tv", 20),
        noisy("tv", 30, label="gaussian", group="g"),
        noisy("nlm", 31, dirty=True),
        noisy("bm3d", 32, sources=CHANGED | {"baselines/handcrafted/bm3d.py": "0" * 16}),
        noisy("unet", 33, learned=True),
    ]
    found = board(rows, now)
    assert [row.entry.name for row in found.ranked] == ["tv"]
    assert found.ranking.first == ["tv"]


def test_a_board_goes_from_the_ceiling_to_what_failed(now):
    rows = [
        noisy("tv", 26),
        noisy("nlm", 25),
        noisy("tv", 24, label="defaults", control="defaults", group="d"),
        noisy("tv", 26.5, label="oracle", control="oracle", group="o"),
        noisy("direct", 20),
        noisy("unet", 29, learned=True),
        noisy("bm3d", 30, protocol_version=1),
        failed("sense", status="unsupported", reason="no coils"),
        failed("net"),
    ]
    assert shown(rows, now) == [
        ("tv@oracle", None),
        ("tv", 1),
        ("tv@defaults", None),
        ("nlm", 2),
        ("direct", 3),
        ("unet", None),
        ("bm3d", None),
        ("sense", None),
        ("net", None),
    ]
    best = [noisy("nlm", 28), *rows[:1], rows[3]]
    assert shown(best, now) == [("nlm", 1), ("tv@oracle", None), ("tv", 2)]
    roles = {row.entry.name: row.role for row in board(rows, now).rows if row.role}
    assert roles == {"tv@oracle": "ceiling", "tv@defaults": "default values", "direct": "lower control"}


def test_a_stale_ceiling_is_no_ceiling(now):
    rows = [noisy("tv", 26), noisy("tv", 27, label="oracle", control="oracle", protocol_version=1, group="o")]
    assert shown(rows, now) == [("tv", 1), ("tv@oracle", None)]


def test_crops_of_one_scene_count_once(now):
    """A gain on three scenes of four: 16 images taken as independent call it certain, four scenes do not."""
    gains = [0.3, 0.3, -0.15, 0.3]
    scores = {f"image-{i}": {"psnr": 26.0 + i, "ssim": 0.8} for i in range(16)}
    better = {image: {"psnr": s["psnr"] + gains[i // 4], "ssim": 0.8} for i, (image, s) in enumerate(scores.items())}
    scenes = {f"image-{i}": f"scene-{i // 4}" for i in range(16)}

    def ranks(groups):
        rows = [result("tv", per_image=scores, groups=groups), result("tgv", per_image=better, groups=groups)]
        return {row.entry.name: (row.place.best, row.place.worst) for row in board(rows, now).rows}

    assert ranks({image: image for image in scores}) == {"tgv": (1, 1), "tv": (2, 2)}
    assert ranks(scenes) == {"tgv": (1, 2), "tv": (1, 2)}


def test_too_few_groups_give_an_order_and_no_ranks(now):
    found = board([noisy("tv", 26, images=3), noisy("direct", 20, images=3)], now)
    assert found.ranking.too_few
    assert [(row.place.order, row.place.best) for row in found.rows] == [(1, None), (2, None)]


def test_versions_are_never_ranked_together(version_2):
    rows = [noisy("old", 40, task_version=1), noisy("new", 20, task_version=2)]
    assert shown(rows, version_2) == [("new", 1), ("old", None)]


def test_values_at_the_edge_and_other_bits_and_renewed_hashes_are_noted(now):
    runs = [noisy("a", 20), noisy("b", 22), noisy("tv", 24, data_hash="e" * 16, at_edge=["lam"])]
    made, _ = selection.entries(runs, now)
    seen = Renewed(date="2026-05-01T00:00:00", commit="c", device="cpu", images=3, code_before="0" * 16)
    made[2] = made[2].model_copy(update={"renewed": seen})
    (found,) = board_rows.boards(made, now)
    notes = next(row.notes for row in found.rows if row.entry.name == "tv")
    assert notes[0] == "tuned to the edge of its range: lam"
    assert "differ in bits" in notes[1]
    assert notes[2] == "code renewed 2026-05-01: equal bits on 3 images"


def test_a_method_from_elsewhere_is_ranked_and_marked(now):
    gone = dataclasses.replace(now, sources=lambda method: None if method == "mine" else sources(method))
    (row,) = board([noisy("mine", 26, sources={"mine.py": "0" * 16})], gone).rows
    assert row.place is not None
    assert row.notes[0].startswith("external")


def test_a_board_tells_the_command_that_makes_it_whole(now):
    rows = [noisy("tv", 26, protocol_version=1), noisy("unet", 25, learned=True), noisy("nlm", 3, label="x", group="x")]
    found = board(rows, now)
    assert [row.entry.name for row in found.to_run] == ["unet", "tv"]
    assert found.missing == ["direct"]
    assert found.command(found.to_run, found.missing) == (
        "bench run denoising:mini -m tv -m direct && bench run denoising:mini -m unet --seed 0 1 2"
    )


def test_the_command_asks_for_every_seed_of_a_trained_method_without_a_row(now):
    """A method is known to be trained by its family, or by an entry on another track."""
    families = {"varnet": "raw_to_image", "epll": "data_driven", "nlm": "handcrafted"}
    rows = [noisy("tv", 26), *trained("epll", track="mini-laplace")]
    made, _ = selection.entries(rows, now)
    found, _ = board_rows.boards(made, dataclasses.replace(now, methods=lambda: families))
    assert found.command([], found.missing) == (
        "bench run denoising:mini -m nlm && bench run denoising:mini -m varnet -m epll --seed 0 1 2"
    )


@pytest.mark.parametrize(
    ("task", "track", "expected"),
    [("ct", "mini", ["unet"]), ("nodules", "mini", ["oracle"]), ("x", "y", ["oracle", "unet"])],
)
def test_methods_that_cannot_apply_are_not_missing(now, task, track, expected):
    families = {"tv": "handcrafted", "oracle": "raw_to_task", "unet": "post_processing"}
    made, _ = selection.entries([noisy("tv", 26, task=task, track=track)], now)
    (found,) = board_rows.boards(made, dataclasses.replace(now, methods=lambda: families))
    assert found.missing == expected


def test_a_row_with_fewer_test_images_than_the_others_is_not_ranked(now):
    """A record may state any number of test images; what the other rows scored is what the track has."""
    rows = board([noisy("tv", 26), noisy("nlm", 25), noisy("bm3d", 99, images=4)], now).rows
    told = {row.entry.name: (row.place is not None, row.reason) for row in rows}
    assert told["tv"] == told["nlm"] == (True, "")
    assert told["bm3d"] == (False, "other test images than the others': 4 of 8 are missing")
