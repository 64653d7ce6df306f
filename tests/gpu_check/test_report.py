"""The table: failures are named at its end, and falling short of a goal is told but is no failure."""

from tests.gpu_check.report import FAILED, NOTE, OK, SHORT, Row, compared, read, table, write


def test_a_number_meets_its_goal_or_falls_short_or_has_none():
    assert compared("a", 9.0, "9x", "at least 8x", lambda ratio: ratio >= 8).verdict == OK
    assert compared("a", 7.0, "7x", "at least 8x", lambda ratio: ratio >= 8).verdict == SHORT
    row = compared("a", 7.0, "7x", "at least 8x", None)
    assert (row.verdict, row.goal, row.details) == (NOTE, "", {"value": 7.0})


def test_the_table_groups_rows_and_counts_verdicts():
    rows = [
        Row(OK, "tv", "fine", part="contract"),
        Row(SHORT, "CT A", "2x", "8x", "speed"),
        Row(FAILED, "nlm", "no", "", "contract"),
    ]
    lines = table(rows, ["head"]).splitlines()
    assert lines[0] == "head"
    assert lines.index("contract") < lines.index("speed")
    assert lines[-2:] == ["1 failed, 1 fall short of their goal, 3 rows", "  FAILED  contract: nlm"]
    assert "[goal: 8x]" in next(line for line in lines if "CT A" in line)


def test_failures_of_one_cause_are_one_line_and_count_each():
    rows = [Row(FAILED, f"run {i}", "broke", part="runs") for i in range(5)] + [Row(FAILED, "tv", "NaN", part="runs")]
    lines = table(rows, []).splitlines()
    assert lines[-3:] == [
        "6 failed, 0 fall short of their goal, 6 rows",
        "  FAILED  runs: run 0, run 1, run 2 and 2 more",
        "  FAILED  runs: tv",
    ]


def test_rows_of_a_process_that_was_killed_are_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert read(path) == []
    row = Row(OK, "tv", "fine", details={"value": 1.0})
    write(row, path)
    with path.open("a") as file:
        file.write('{"verdict": "ok", "wh')
    assert read(path) == [row]
