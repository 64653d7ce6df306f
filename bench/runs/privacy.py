"""What is published tells nothing of the machine it was made on."""

import re

# The folders before a package of ours or an installed one, else all folders, in `File "/home/me/bench/run.py", line 3`.
FOLDERS = re.compile(
    r"(?<![\w./])(?:/[^/\s\"':]+)+/(?=(?:site-packages|bench|tasks|baselines)/)|(?<![\w./:])(?:/[^/\s\"':]+)+/"
)


def without_folders(text: str) -> str:
    """The text with every absolute path shortened to its end, which says as much and names no one."""
    return FOLDERS.sub("", text)
