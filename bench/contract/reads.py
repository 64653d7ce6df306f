"""Files that a method reads: the ones it declares, and a watch for others.

A method's file may lie beside weights, tables or masks. They make its scores as much as its code does, so that they
belong into the key of its runs: `Method.files` names them. A watch finds the files below the method's folder that its
code opens without having named them. It sees what Python opens, and no file that a C library opens by itself.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.places import ROOT, store

if TYPE_CHECKING:
    from bench.contract.method import Method


def declared(method: type[Method], folder: Path) -> dict[str, Path]:
    """The files that a method declares, by their names below its folder.

    Raises `BenchError` where one is missing or lies elsewhere.
    """
    names: Any = method.files
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise BenchError(f"{method.__name__}.files is {names!r}. Declare a tuple of names: files = ('weights.pt',).")
    found = {}
    for name in names:
        path = Path(os.path.normpath(folder / name))
        if not path.is_relative_to(folder) or Path(name).is_absolute():
            raise BenchError(
                f"{method.__name__}.files names {name!r}. A method reads files of its own folder: move it."
            )
        if not path.is_file():
            raise BenchError(f"{method.__name__}.files names {name!r}, and {folder.name} holds no such file.")
        found[path.relative_to(folder).as_posix()] = path
    return found


class Watch:
    """Notes, from now to the next watch of this process, which files of a folder its code opens to read.

    Files that the code has written itself are none of them, nor are files of packages, stores and data sets that may
    lie below the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = os.path.join(os.path.realpath(folder), "")
        self.code = (self.folder, os.path.join(os.path.abspath(folder), ""))  # a module may be named by a link
        self.opened: set[str] = set()
        self.written: set[str] = set()
        self.known: set[str] | None = None  # once they are known, another file raises at once
        inside = {os.path.realpath(str(path)) for path in (*sysconfig.get_paths().values(), sys.prefix, store(), ROOT)}
        if data := os.environ.get("BENCH_DATA"):
            inside.add(os.path.realpath(data))
        self.others = tuple(os.path.join(path, "") for path in inside if f"{path}{os.sep}".startswith(self.folder))
        listen(self)

    def settle(self, known: Iterable[Path]) -> None:
        """From now on every file but the ``known`` ones is an error. Raises `BenchError` on one that was opened."""
        self.known = {os.path.realpath(path) for path in known}
        self.check()

    def check(self) -> None:
        """Raise `BenchError` where a file was opened that is not known; its own handlers may have hidden the first."""
        for path in sorted(self.opened - (self.known or set())):
            raise self._undeclared(path)

    def note(self, name: Any, mode: Any, flags: int) -> None:
        """A file is about to be opened."""
        path = os.path.realpath(os.fsdecode(name))
        if not path.startswith(self.folder) or path.startswith(self.others):
            return
        if (mode and set(str(mode)) & set("wax")) or (flags or 0) & (os.O_WRONLY | os.O_CREAT):
            self.written.add(path)
            return
        if path.endswith(".pyc"):
            path = _source_of(path)
        if path in self.written or path in self.opened or not os.path.isfile(path) or not self._is_ours():
            return
        self.opened.add(path)
        if self.known is not None and path not in self.known:
            raise self._undeclared(path)

    def _is_ours(self) -> bool:
        """Whether code of the folder is at work: what the referee opens is its own affair."""
        frame = sys._getframe(3)
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(self.code) and not file.startswith(self.others):
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False

    def _undeclared(self, path: str) -> BenchError:
        name = Path(path).relative_to(self.folder).as_posix()
        return BenchError(
            f"the method reads {name}, which is no part of its key. Declare it in the class: files = ({name!r},)."
        )


_watches: list[Watch] = []  # the present one; a hook can't be taken away again, so that there is one


def listen(watch: Watch) -> None:
    if not _watches:
        sys.addaudithook(_hook)
    _watches[:] = [watch]


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        _watches[0].note(*arguments)


def _source_of(path: str) -> str:
    try:
        return importlib.util.source_from_cache(path)
    except ValueError:
        return path
