"""The boards that are published: valid entries, and no rank that today's code does not stand behind."""

import pytest

from bench.leaderboard import board_rows, page, publish, staleness
from bench.leaderboard import entries as kept
from bench.leaderboard.terminal import table

BOARDS = publish.ROOT / publish.DEFAULT


@pytest.fixture(scope="module")
def reading():
    found = kept.read_all(BOARDS)
    if not found.entries:
        pytest.skip("no entries of this format")
    return found


@pytest.fixture(scope="module")
def boards(reading):
    return board_rows.boards(reading.entries, staleness.here())


def test_every_entry_is_valid(reading):
    assert reading.problems == []


def test_pages_show_what_the_code_here_stands_behind(boards):
    """A method whose code has changed since is no longer ranked: render the pages again by `bench board`, or make the
    row again, or renew its hash by `bench verify --renew`."""
    for path, text in page.pages(boards).items():
        assert tables((BOARDS / path).read_text(encoding="utf-8")) == tables(text), f"{path}: run `bench board`"


def test_the_readme_shows_lines_of_a_board_as_they_are(boards):
    """`bench board` prints them: copy the lines again where one has moved."""
    shown = (publish.ROOT / "README.md").read_text(encoding="utf-8").split("```")[1].strip("\n").splitlines()
    printed = table(boards).splitlines()
    assert len(shown) > 5
    assert [line for line in shown if line not in printed] == []


def tables(text):
    return [line for line in text.splitlines() if line.startswith("| ")]
