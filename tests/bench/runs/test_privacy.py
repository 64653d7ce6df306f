"""A table of texts, and what may be published of each."""

import json

import pytest
from fabricate import result

from bench.errors import BenchError
from bench.runs.privacy import private, without_folders
from bench.runs.spec import Wish, board_label

SHORTENED = {
    "/home/me/weights.pt": "weights.pt",
    "cannot open /home/me/weights.pt.": "cannot open weights.pt.",
    "cannot open '/home/me/w.pt'": "cannot open 'w.pt'",
    "PosixPath('/home/me/w.pt')": "PosixPath('w.pt')",
    "(/home/me/a.pt, /home/me/b.pt)": "(a.pt, b.pt)",
    "weights=/home/me/w.pt": "weights=w.pt",
    "/home/me/a:/home/me/b": "a:b",
    "-I/home/me/include/x.h": "-Ix.h",
    "/mnt/work group/x": "work group/x",
    'File "/home/John Smith/a b/method.py", line 3': 'File "method.py", line 3',
    "'/Users/John Smith/my data/x.png'": "'x.png'",
    "/home/John\\ Smith/x.png": "x.png",
    "/home/Jürgen/größe.png": "größe.png",
    "-m 'tv:weights=/home/J D/w.pt,lam=0.1,b=/home/me/b.pt'": "-m 'tv:weights=w.pt,lam=0.1,b=b.pt'",
    "-m 'tv:lam=1,weights=~/J D/w.pt'": "-m 'tv:lam=1,weights=w.pt'",
    "/home/me": "~",
    "in /home/me, line 3": "in ~, line 3",
    "'/Users/John Smith'": "'~'",
    "C:\\Users\\me": "~",
    "file:///home/me/w.pt": "w.pt",
    "file://server/share/me/w.pt": "w.pt",
    "'file:///home/John Smith/w.pt'": "'w.pt'",
    "C:\\Users\\me\\w.pt": "w.pt",
    "D:/data/me/w.pt": "w.pt",
    "'C:\\Users\\John Smith\\w.pt'": "'w.pt'",
    json.dumps("C:\\Users\\me\\w.pt"): '"w.pt"',
    "\\\\server\\share\\me\\w.pt": "w.pt",
    "~/w.pt": "w.pt",
    "~me/data/w.pt": "w.pt",
    "me@machine:/home/me/w.pt": "w.pt",
    'File "/home/me/x/bench/evaluation/evaluate.py", line 3': 'File "bench/evaluation/evaluate.py", line 3',
    'File "/home/John Smith/x/bench/runs/run.py"': 'File "bench/runs/run.py"',
    "/home/me/.venv/lib/python3.11/site-packages/torch/nn.py": "site-packages/torch/nn.py",
    "/scratch/me/tasks/mri.py": "tasks/mri.py",
}
KEPT = [
    "", "lam=0.1", "1/2 |x - y|^2", "cycles/mm and/or dB/pixel", "bench/runs/run.py", "sub/mine.py", "a // b", "3 / 4",
    "https://github.com/me/code/blob/x.py", "see http://x.org/home/me/index.html.", "s3://bucket/folder/x",
    "<image 1/5>", "tv:lam=0.1,steps=10", "ratio a/b/c", "J. Smith, IEEE TIP 3(4), 2004", "\\lambda \\in [0, 1]",
    "x_hat is not finite", "12:30:01", "y = A(x) + n", "10^-3 / 10^-2", "k-space (H/2, W/2)",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SHORTENED.items())
def test_a_path_is_shortened_to_its_end(text, expected):
    assert without_folders(text) == expected
    assert without_folders(expected) == expected


@pytest.mark.parametrize("text", KEPT)
def test_other_text_is_kept(text):
    assert without_folders(text) == text


def test_folders_of_this_machine_go_even_with_blanks_outside_of_quotes(monkeypatch, tmp_path):
    home = tmp_path / "Jane Q. Doe"
    (home / "my work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "my work")
    for text in (f"no file {home}/weights.pt here", f"no file {home}/my work/weights.pt here"):
        assert without_folders(text) == "no file weights.pt here"
    assert without_folders(f"in {home} and {home}x").startswith("in ~ and ")
    monkeypatch.setenv("BENCH_DATA", str(home / "all data"))
    assert without_folders(f"{home}/all data/bsd68/a.png is corrupt") == "a.png is corrupt"


def test_values_are_searched_to_any_depth():
    values = {"weights": "/home/me/w.pt", "list": ["/home/me/a", 1, None], "inner": {"/home/me/key": ("~/x", 0.5)}}
    assert private(values) == {"weights": "w.pt", "list": ["a", 1, None], "inner": {"key": ["x", 0.5]}}
    assert "home" not in json.dumps(private(result(requested=values).model_dump(mode="json")))


@pytest.mark.parametrize("value", ["/home/me/w.pt", "C:\\Users\\me\\w.pt", "~/w.pt", "file:///home/me/w.pt"])
def test_a_path_never_becomes_a_label(value):
    with pytest.raises(BenchError, match="cannot name a file"):
        board_label(Wish(seeds=[0]), {"weights": value})
    with pytest.raises(BenchError, match="cannot name a file"):
        board_label(Wish(seeds=[0], label=value), {})
