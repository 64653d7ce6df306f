import json
import random
import subprocess
import sys

import pytest
from fabricate import failed, result

from bench.errors import BenchError
from bench.leaderboard import entries as board
from bench.leaderboard.page import boards, number, page

REQUIRED = """task track task_version method family status reason primary scores per_seed seeds hyperparameters
parameters seconds_per_image peak_memory_bytes device environment training data_hash commit dirty command date key"""


def seeds(method, level=28.0, over=(0, 1, 2), **changes):
    return [result(method, seed, level, **({"seeds": [0, 1, 2]} | changes)) for seed in over]


def noisy(method, level, **changes):
    """Scores on eight images, so that a paired test has something to tell apart."""
    rng = random.Random(method)
    images = {f"image-{i}": {"psnr": level + i + rng.gauss(0, 0.1), "ssim": 0.8} for i in range(8)}
    return result(method, per_image=images, **changes)


def only(results):
    (entry,) = board.entries(results)
    return entry


def test_an_entry_averages_images_over_seeds_then_over_images():
    entry = only(seeds("unet"))
    assert entry.seeds == [0, 1, 2]
    assert entry.scores["psnr"]["per_image"]["image-2"] == pytest.approx(28 + 0.5 + 1 / 16)
    assert entry.scores["psnr"]["mean"] == pytest.approx(28 + 2.5 / 4 + 1 / 16)
    # Half width by hand: t(.975, 5) = 2.570582, standard deviation of 0, 1/4 ... 5/4 over the root of 6.
    half = 2.570582 * (17.5 / 5) ** 0.5 / 4 / 6**0.5
    low, high = entry.scores["psnr"]["ci95"]
    assert (high - low) / 2 == pytest.approx(half, rel=1e-6)
    assert entry.per_seed["2"]["image-0"]["psnr"] == 28 + 2 / 16
    assert entry.ranked
    assert entry.flags == []


def test_an_entry_holds_what_is_required_with_numbers_as_numbers(tmp_path):
    board.write(board.entries(seeds("unet")), tmp_path)
    entry = json.loads((tmp_path / "denoising/mini/unet.json").read_text())
    assert set(REQUIRED.split()) <= set(entry)
    assert isinstance(entry["scores"]["psnr"]["mean"], float)
    assert isinstance(entry["peak_memory_bytes"], int)


def test_no_interval_below_five_images():
    few = {name: {"psnr": 1.0, "ssim": 0.5} for name in "abcd"}
    assert only([result("tv", per_image=few)]).scores["psnr"]["ci95"] is None


def test_the_newest_complete_group_wins_whatever_its_score():
    old = seeds("unet", 30, group="old", date="2026-01-01T00:00:00+00:00")
    new = seeds("unet", 20, group="new", date="2026-02-01T00:00:00+00:00")
    begun = seeds("unet", 40, over=[0], group="begun", date="2026-03-01T00:00:00+00:00")
    assert only([*begun, *old, *new]).key == "new"
    assert only([*new, *old]).key == "new"


def test_a_group_lacking_seeds_is_shown_where_nothing_is_complete():
    entry = only(seeds("unet", over=[0, 2]))
    assert entry.seeds == [0, 2]
    assert entry.flags == ["incomplete: 2 of 3 seeds"]
    assert entry.ranked


def test_seeds_asked_for_later_complete_a_group():
    assert only([result("unet", 0, seeds=[0]), *seeds("unet", over=[1, 2])]).flags == []


def test_a_failed_seed_is_told_and_not_ranked():
    entry = only([*seeds("unet", over=[0, 1]), failed("unet", 2, seeds=[0, 1, 2])])
    assert entry.status == "ok"
    assert entry.seeds == [0, 1]
    assert entry.flags == ["incomplete: 2 of 3 seeds", "seed 2 failed: x_hat is not finite"]
    assert not entry.ranked


def test_a_method_that_failed_is_a_row_with_its_reason():
    entry = only([failed("tv", reason="cannot read /home/someone/data/x.mat")])
    assert (entry.status, entry.reason, entry.scores, entry.ranked) == ("failed", "cannot read x.mat", {}, False)


def test_an_unsupported_pair_is_complete():
    newer = result(
        "tv", status="unsupported", reason="needs k-space", per_image={}, group="n", date="2027-01-01T00:00:00Z"
    )
    assert only([result("tv"), newer]).status == "unsupported"


def test_of_one_key_the_newest_result_counts():
    again = result("tv", level=31, date="2027-01-01T00:00:00+00:00")
    assert only([again, failed("tv")]).scores["psnr"]["mean"] == again.mean("psnr")


def test_a_new_version_is_not_hidden_by_an_old_one():
    old = result("tv", task_version=1, group="old", date="2027-01-01T00:00:00+00:00")
    assert only([old, failed("tv", task_version=2, group="new")]).task_version == 2


def test_labelled_runs_are_entries_of_their_own():
    subset = result(
        "tv", label="few", protocol=False, limit=2, group="few", per_image={"a": {"psnr": 99.0, "ssim": 1.0}}
    )
    by_hand = result("tv", label="strong", protocol=False, requested={"lam": 0.3}, group="strong", dirty=True)
    plain, few, strong = board.entries([result("tv"), subset, by_hand])
    assert [entry.name for entry in (plain, few, strong)] == ["tv", "tv@few", "tv@strong"]
    assert few.flags == ["only the first 2 test images"]
    assert strong.flags == ["hyperparameters by hand: lam=0.3", "uncommitted changes"]
    assert [plain.ranked, few.ranked, strong.ranked] == [True, False, True]


def test_chosen_values_are_kept_by_seed_where_they_differ():
    runs = [result("tv", seed, seeds=[0, 1], hyperparameters={"lam": 0.1 + seed}) for seed in (0, 1)]
    assert only(runs).hyperparameters == {"0": {"lam": 0.1}, "1": {"lam": 1.1}}


def test_writing_keeps_other_entries_and_changes_only_what_is_new(tmp_path):
    board.write(board.entries([result("tv"), result("direct", level=20)]), tmp_path)
    path = tmp_path / "denoising/mini/direct.json"
    before = path.stat().st_mtime_ns
    written = board.write(board.entries([result("tv", level=29), result("direct", level=20)]), tmp_path)
    assert path.stat().st_mtime_ns == before
    board.write(board.entries([result("tv", level=29)]), tmp_path)
    assert board.read(tmp_path) == written
    assert [entry.name for entry in written] == ["direct", "tv"]
    assert not list(tmp_path.rglob(".tmp-*"))


def test_an_entry_on_disk_gives_way_to_newer_complete_ones_only(tmp_path):
    published = seeds("unet", date="2026-02-01T00:00:00+00:00")
    board.write(board.entries(published), tmp_path)
    for lesser in (
        seeds("unet", over=[0], group="begun", date="2026-03-01T00:00:00+00:00"),
        seeds("unet", group="older", date="2026-01-01T00:00:00+00:00"),
        [failed("unet", group="broken", date="2026-03-01T00:00:00+00:00")],
    ):
        assert board.write(board.entries(lesser), tmp_path) == board.entries(published)
    newer = seeds("unet", 20, group="newer", date="2026-03-01T00:00:00+00:00")
    assert board.write(board.entries(newer), tmp_path) == board.entries(newer)


def test_a_corrupt_entry_is_named(tmp_path):
    board.write(board.entries([result("tv")]), tmp_path)
    (tmp_path / "denoising/mini/tv.json").write_text('{"task": "denoising"}')
    with pytest.raises(BenchError, match=r"mini/tv\.json"):
        board.write(board.entries([result("direct")]), tmp_path)


def test_a_name_cannot_leave_the_folder(tmp_path):
    board.write(board.entries([result("tv", label="../../x")]), tmp_path)
    assert [path.name for path in (tmp_path / "denoising/mini").iterdir()] == ["tv@.._.._x.json"]


def test_versions_are_never_ranked_together():
    entries = board.entries([noisy("old", 40, task_version=1), noisy("new", 20, task_version=2)])
    (rows,) = boards(entries).values()
    assert [(row.entry.name, row.rank) for row in rows] == [("new", 1), ("old", None)]
    assert rows[1].notes == ["outdated: version 1 of the track, now 2"]


def test_measurements_that_differ_are_flagged():
    runs = [noisy("a", 20), noisy("b", 22), noisy("c", 24, data_hash="e" * 16)]
    (rows,) = boards(board.entries(runs)).values()
    assert [row.rank for row in rows] == [1, 2, 3]
    assert "differ in bits" in rows[0].notes[0]
    assert not rows[1].notes


def test_the_page_ranks_and_tells_failures():
    runs = [noisy("tv", 26), noisy("direct", 20), failed("net", reason="a | b"), noisy("also_tv", 26.01)]
    text = page(board.entries(runs))
    summary, _, text = text.partition("## denoising\n")
    assert "| [denoising:mini](#denoisingmini) | also\\_tv, tv | PSNR " in summary
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    assert [row[0].strip("| ") for row in rows] == ["1", "1", "3", "–"]
    assert "[direct](denoising/mini/direct.json)" in rows[2][1]
    assert rows[2][3] == number(board.entries(runs)[1].scores["psnr"]["mean"], "dB")
    assert "failed: a \\| b" in text
    assert "bench run denoising -m tv --seed 0" in text


def test_the_table_is_aligned_and_fits_a_terminal():
    runs = [noisy("direct", 20), noisy("a_name_that_is_much_too_long_" * 3, 25), failed("net", reason="because " * 40)]
    lines = board.table(board.entries([*runs, *seeds("tv")])).splitlines()
    assert max(map(len, lines)) <= 100
    ranked = [line for line in lines if " dB" not in line and "[" in line and "PSNR" not in line]
    assert len({line.index("]") for line in ranked}) == 1
    assert any("3 (±" in line for line in ranked)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(28.456, "dB", "28.46"), (84.228, "%", "84.23"), (0.81234, "", "0.8123"), (2e-5, "", "2.00e-05")],
)
def test_numbers_have_sensible_digits(value, unit, text):
    assert number(value, unit) == text


def test_results_are_read_from_run_directories(tmp_path):
    folder = tmp_path / result("tv").key
    folder.mkdir()
    (folder / "result.json").write_text(result("tv").to_json())
    (tmp_path / ".tmp-1-x").mkdir()
    (tmp_path / ".tmp-1-x" / "result.json").write_text("half")
    assert board.read_results(tmp_path) == [result("tv")]


def test_importing_the_board_is_light():
    code = "import sys, bench.leaderboard.entries, bench.tracking.mlflow, bench.runs.archive; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "mlflow", "scipy", "numpy"} & set(done.stdout.split())
