"""Boards in a terminal: what is cut keeps its mark, and a footnote is told whole."""

import pytest
from fabricate import METRICS, failed, result

from bench.leaderboard import board_rows, selection, terminal

LONG = "a_name_that_is_much_too_long_for_its_column_of_the_table_in_a_terminal"
REASON = "uncommitted changes: " + ", ".join(f"half-quadratic-{number}.py" for number in range(12))


def shown(results, now) -> list[str]:
    made, problems = selection.entries(results, now)
    assert not problems
    lines = terminal.table(board_rows.boards(made, now)).splitlines()
    assert max(map(len, lines)) <= terminal.WIDTH
    return lines


def test_a_name_that_is_cut_keeps_the_mark_of_its_footnote(now):
    lines = shown([result(LONG, dirty=True, dirty_reason="tv.py"), result("tv")], now)
    (row,) = [line for line in lines if "…" in line]
    assert "…* " in row
    assert any(line.startswith(f"   *  {LONG}: ") for line in lines)


@pytest.mark.parametrize(
    ("method", "count"), [("tv", 3), ("two_stage+learned_primal_dual", 2), ("n" * 50, 1), (LONG, 1)]
)
def test_metrics_make_room_for_names(method, count, now):
    names = ("psnr", "surface_distance", "dice_of_white_matter", "dice_grey")
    metrics = {name: METRICS["psnr" if name == "psnr" else "ssim"] for name in names}
    images = {f"image-{number}": dict.fromkeys(names, 0.5 + number / 16) for number in range(6)}
    (_, titles, row, *_) = shown([result(method, metrics=metrics, per_image=images)], now)
    assert [name.upper().replace("_", " ") in titles for name in names] == [number < count for number in range(4)]
    assert ("…" in row) == (method == LONG)


def test_a_column_without_an_entry_is_left_out(now):
    (_, titles, *_) = shown([result("tv")], now)
    assert "time/image" not in titles


def test_a_name_without_a_footnote_has_no_mark():
    assert terminal._cut("total_variation", 8) == "total_v…"
    assert terminal._cut("total_variation*", 8) == "total_…*"
    assert terminal._cut("tv*", 8) == "tv*"


def test_a_footnote_is_told_whole_on_indented_lines(now):
    lines = shown([result("net", dirty=True, dirty_reason=REASON), failed("unet", reason=REASON)], now)
    for mark, name in (("*", "net"), ("–", "unet")):
        start = next(number for number, line in enumerate(lines) if line.startswith(f"   {mark}  {name}: "))
        rest = [line for line in lines[start + 1 :]]
        end = next((number for number, line in enumerate(rest) if not line.startswith(" " * 6)), len(rest))
        assert end >= 2
        assert REASON in " ".join(line.strip() for line in (lines[start], *rest[:end]))
