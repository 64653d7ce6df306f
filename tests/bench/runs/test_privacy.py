"""What is published holds no folder of the machine it was made on."""

import pytest

from bench.runs.privacy import without_folders


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('File "/home/me/x/bench/runs/run.py", line 3', 'File "bench/runs/run.py", line 3'),
        ("/opt/lib/python3.11/site-packages/torch/nn.py", "site-packages/torch/nn.py"),
        ("cannot read /data/me/images/a.png.", "cannot read a.png."),
        ("no folder here: 3/4 of bench/runs", "no folder here: 3/4 of bench/runs"),
        ("https://example.org/a/b", "https://example.org/a/b"),
    ],
)
def test_folders_are_left_out(text, expected):
    assert without_folders(text) == expected
