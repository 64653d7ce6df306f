"""What is published tells nothing of the machine it was made on: no folders, and so no names of their owners.

An absolute path is shortened to its end, which says as much. A path inside of a package keeps the part that is equal
on every machine: `bench/runs/run.py`, `site-packages/torch/nn.py`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

HOME = "~"  # in place of a home folder that stands alone
HOMES = ("home", "Users")  # each folder in these is named after a person
PACKAGES = ("site-packages", "bench", "tasks", "baselines")  # from here on a path is kept

# The starts of absolute paths: file://host, C:, \\server (once or twice escaped), me@machine:, ~me, and / itself.
START = (
    r"""(?:file://[^/\s"'`]*(?=/)|[A-Za-z]:(?=[/\\])|\\\\(?:\\\\)?(?=\w)|[\w.-]+@[\w.-]+:(?=[/~])"""
    r"""|~[\w.-]*(?=[/\\])|(?=/))"""
)
SCHEME = re.compile(r"^(file://[^/]*|[A-Za-z]:|[^/~]*@[^/~]*:)")
PATH = re.compile(
    rf"""
      (?P<web>\b(?!file:)[a-z][a-z0-9+.-]+://\S+)                             # https://..., which is kept
    | (?<=(?<!\w)["'`]) {START} [^"'`\n]+                                     # in quotes, where names hold blanks
    | (?P<lead>(?<!\w)["'][\w:.,=+-]*=) {START} [^"'`\n,]+                     # 'tv:weights=/..., in a command
    | (?:(?<![\w./\\~@])|(?<=\w)(?=/(?:home|Users|root)/)) {START} (?:\\[ ]|[^\s"'`:,;<>|()\[\]{{}}])+
    """,
    re.VERBOSE,
)


def without_folders(text: str) -> str:
    """The text with every absolute path shortened to its end."""
    for folder in _here():
        text = re.sub(rf"{re.escape(folder)}(?=[/\\\s\"'`:,;.)\]}}]|$)", HOME, text)
    return PATH.sub(_shortened, text)


def private(value: Any) -> Any:
    """Plain values without folders in any of their texts, names included."""
    if isinstance(value, str):
        is_name = not re.search(r"[\"'`\n]|[:,] ", value)  # of one file, perhaps with blanks, and no sentence
        return without_folders(f"'{value}'")[1:-1] if is_name else without_folders(value)
    if isinstance(value, Mapping):
        return {without_folders(str(key)): private(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [private(item) for item in value]
    return value


def _shortened(match: re.Match[str]) -> str:
    lead = match["lead"] or ""
    path = match[0].removeprefix(lead)
    parts = [part for part in re.split(r"/|\\(?! )", SCHEME.sub("", path)) if part]
    if match["web"] or (len(parts) < 2 and path.startswith("/") and parts != ["root"]):
        return match[0]  # also a division, which has no folders
    if (len(parts) == 2 and parts[0] in HOMES) or parts == ["root"]:
        return lead + HOME
    inside = [index for index, part in enumerate(parts[:-1]) if part in PACKAGES]
    if "site-packages" in parts[:-1]:
        inside = [parts.index("site-packages")]
    return lead + ("/".join(parts[inside[-1] :]) if inside else parts[-1])


def _here() -> list[str]:
    """Folders of this machine, the longest first: their names may hold blanks, which end a path in running text."""
    found = {str(Path.home()), os.environ.get("BENCH_DATA", ""), os.environ.get("BENCH_STORE", "")}
    with suppress(OSError):
        found |= {os.getcwd(), tempfile.gettempdir()}
    return sorted((folder for folder in found if folder.count(os.sep) > 1 or folder == "/root"), key=len, reverse=True)
