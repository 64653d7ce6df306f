"""Pages show what boards claim, and no text of an entry gets out of its place."""

import html
import re

import pytest
from fabricate import failed, result, timing

from bench.leaderboard import board_rows, cells, page, publish, selection, terminal
from bench.leaderboard.entries import Published
from bench.leaderboard.ranking import Place

EVIL = "a | b\n\n# Head\n```\n<script>alert(1)</script> [x](javascript:y) **bold** <!-- \x1b[2J \u202e"


def boards(results, now, timings=None, published=None):
    made, problems = selection.entries(results, now, published, timing=timings or {})
    assert not problems
    return board_rows.boards(made, now)


def pages(*arguments, **others):
    return page.pages(boards(*arguments, **others))


def table(text):
    """The cells of the first table of a page, the header first."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in (lines[0], *lines[2:])]


def test_a_page_ranks_and_tells_failures(now):
    text = pages([result("tv"), result("direct", level=20), failed("net", reason="a | b")], now)["denoising/README.md"]
    header, *rows = table(text)
    assert header[:5] == ["Rank", "Method", "Family", r"PSNR \[dB\] ↑", "95 % interval"]
    assert [row[0] for row in rows] == ["1", "2", "–"]
    assert rows[1][1] == "[direct](mini/direct.json) *lower control*"
    assert rows[0][3:5] == ["28.62", r"\[28.13, 29.12\]"]
    assert "net: failed: a &#124; b" in text
    assert "bench run denoising -m tv --seed 0" in text
    assert "min\\_x 1/2" in text
    assert "Rudin, Osher and Fatemi" in text
    assert "PSNR: data range 1.0" in text


def test_the_index_names_the_first_of_every_track_and_says_what_ranks_promise(now):
    text = pages([result("tv"), result("direct", level=20)], now)["README.md"]
    assert "| [denoising:mini](denoising/README.md#denoisingmini) | tv (1) | PSNR 28.62 dB | 2 | 0 |" in text
    assert "The chance that a truly best method is missing from the joint firsts is at most\n  5 %" in text


def test_joint_firsts_are_all_named(now):
    text = pages([result("tv"), result("tgv", level=28.0001, groups=dict.fromkeys(result().groups, "g"))], now)
    assert "tgv (by the mean only)" in text["README.md"]
    equal = {f"image-{i}": {"psnr": 28 + i / 4 + (-1) ** i / 2, "ssim": 0.5} for i in range(6)}
    text = pages([result("tv"), result("tgv", per_image=equal)], now)["README.md"]
    assert "| tgv (1–2), tv (1–2) |" in text or "| tv (1–2), tgv (1–2) |" in text


def test_few_groups_are_told_on_the_page(now):
    one = dict.fromkeys(result().groups, "volume")
    text = pages([result("tv", groups=one), result("direct", level=20, groups=one)], now)["denoising/README.md"]
    assert "6 test images in 1 group: too few to tell methods apart" in text
    assert [row[0] for row in table(text)[1:]] == ["(1)", "(2)"]
    assert all(row[4] == "" for row in table(text)[1:])


def test_no_entries_make_a_page_that_says_so():
    assert "No entries yet." in page.pages([])["README.md"]


@pytest.mark.parametrize("field", ["family", "commit", "reason", "command", "title", "equation", "citation", "device"])
def test_no_text_breaks_out_of_its_place(now, field):
    changes = {"reason": "because", field: EVIL if field != "family" else "post_processing"}
    text = pages([failed("tv", **changes), result("direct")], now)["denoising/README.md"]
    assert "\x1b" not in text
    outside = re.sub(r"^(`{3,})\n.*?^\1$", "", text, flags=re.M | re.S)
    assert "<script" not in outside
    assert "`" not in outside.replace("\\`", "")
    assert "\n# Head" not in text
    widths = {len(line.split(" | ")) for line in text.splitlines() if line.startswith("| ")}
    assert len(widths) == 1
    assert text.count("<details>") == text.count("</details>") == 1


@pytest.mark.parametrize("text", [EVIL, "*a*", "_b_", "[c](d)", "`e`", "<f>", "&lt;", "$x^2$", "~g~", "a|b", "# h"])
def test_inline_text_is_literal_in_markdown_and_html(text):
    shown = page.inline(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[`*_\[\]~#]|[<>|$]", re.sub(r"&#?\w+;", "", shown))
    literal = html.unescape(re.sub(r"\\(.)", r"\1", shown))
    assert literal.split() == "".join(c if c.isprintable() else " " for c in text).split()


def test_no_command_closes_its_code_block():
    block = page.fence(["bench run a", "```\n</details><script>", "````` x"]).splitlines()
    assert block[0] == block[-1] == "``````"
    assert [line for line in block if re.fullmatch("`{6,}", line)] == [block[0], block[-1]]
    assert len(block) == 5


def test_long_reasons_are_cut_on_pages_and_whole_in_entries(now):
    (board,) = boards([failed("tv", reason="because " * 200)], now)
    text = page.pages([board])["denoising/README.md"]
    assert max(map(len, text.splitlines())) < 400
    assert len(board.rows[0].entry.reason) > 1000


def test_times_stand_only_where_they_were_measured_alone(now):
    runs = [result("tv", seconds_per_image=9.0), result("direct", level=20, seconds_per_image=9.0)]
    assert "Time per image" not in pages(runs, now)["denoising/README.md"]
    text = pages(runs, now, {result("tv").key: timing()})["denoising/README.md"]
    header, first, second = table(text)
    column = header.index("Time per image")
    assert first[column : column + 2] == ["125 ms", "3 MiB"]
    assert second[column : column + 2] == ["", ""]


def test_a_published_figure_stands_beside_ours_with_its_source(now):
    figure = Published(value=28.0, metric="psnr", source="A | paper", url="https://example.org/x", remark="other data")
    text = pages([result("tv"), result("direct", level=20)], now, None, {("denoising:mini", "tv"): figure})[
        "denoising/README.md"
    ]
    header, first, _ = table(text)
    column = header.index("Published")
    assert first[column : column + 2] == ["28.00", "+0.62"]
    assert "- Published, tv: [A &#124; paper](<https://example.org/x>) (other data)" in text


def test_the_command_that_makes_a_board_whole_stands_on_its_page(now):
    text = pages([result("tv", protocol_version=1), result("direct")], now)["denoising/README.md"]
    assert "To be run again: tv." in text
    assert "\nbench run denoising:mini -m tv\n" in text


def test_the_terminals_table_is_aligned_and_fits(now):
    runs = [
        result("direct", level=20),
        result("a_name_that_is_much_too_long_" * 3, level=25),
        failed("net", reason="because \x1b[2J" * 40),
        *(result("unet", s, seeds=[0, 1, 2], learned=True) for s in range(3)),
    ]
    lines = terminal.table(boards(runs, now)).splitlines()
    assert max(map(len, lines)) <= terminal.WIDTH
    assert all(line.isprintable() for line in lines)
    rows = [line for line in lines if "[" in line and "PSNR" not in line and "because" not in line]
    assert len(rows) == 3
    assert len({line.index("]") for line in rows}) == 1
    assert any("3 (±" in line for line in rows)


@pytest.mark.parametrize(
    ("value", "unit", "text", "last"),
    [
        (28.456, "dB", "28.46", 0.01),
        (84.228, "%", "84.23", 0.01),
        (0.81234, "", "0.8123", 1e-4),
        (12.345, "", "12.35", 0.01),
        (2e-5, "", "2.00e-05", 1e-7),
        (0.0, "", "0.0000", 1e-4),
    ],
)
def test_numbers_have_sensible_digits(value, unit, text, last):
    assert cells.number(value, unit) == text
    assert cells.last_digit(value, unit) == pytest.approx(last)


@pytest.mark.parametrize(
    ("place", "text"),
    [(None, "–"), (Place(2, 1, 3), "1–3"), (Place(2, 2, 2), "2"), (Place(2, None, None), "(2)")],
)
def test_a_rank_is_an_interval(place, text):
    assert cells.rank(place) == text


def test_the_published_figures_of_the_repository_are_valid():
    figures, problems = publish.read_published(publish.ROOT / publish.DEFAULT)
    assert not problems
    assert figures["denoising:bsd68-s25", "wnnm"].value == 28.83
    assert figures["mri:brain-r20", "direct"].value == 29.96
