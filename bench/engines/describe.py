"""A method's declarations, read in a process that imports this method and no other."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contract import registry
from bench.contract.construct import (
    build,
    check_hyperparameters,
    check_inner,
    check_space,
    constructor_defaults,
    unsupported,
)
from bench.contract.reads import Watch, declared
from bench.contract.registry import Installed
from bench.contract.task import Track
from bench.data import cache
from bench.engines.engine import Engine
from bench.engines.local import Task
from bench.errors import BenchError
from bench.places import ROOT
from bench.runs import key, provenance
from bench.runs.spec import MethodDescription, citation_of

if TYPE_CHECKING:
    from bench.contract.method import Method

RECIPE = ("learning_rate", "gradient_clip", "warm_up")
WRONG_VALUE = "wrong value: "  # opens the error of a hyperparameter, which ends the command
TIME = 120.0  # seconds that the import and the declarations of a method may take


def describe(reference: str, tracks: Sequence[str], hyperparameters: Mapping[str, Any], report: Any) -> dict[str, Any]:
    """``{track: MethodDescription as plain values}``. Raises `BenchError` where the method breaks its contract."""
    file, folder = registry.method_file(reference), registry.method_folder(reference)
    watch = Watch(folder) if folder else None
    before = set(sys.modules)
    method = registry.load_method(reference)
    path = Path(inspect.getfile(method))
    files = source_files(path, folder, set(sys.modules) - before, code_of(file))
    folder = folder or path.parent
    read = list(declared(method, folder).values())
    inner, hyperparameters = inner_of(method, file, hyperparameters)
    inner_code = ""
    if inner:
        before = set(sys.modules)
        theirs = registry.load_method(inner)
        check_inner(inner, theirs)
        place = Path(inspect.getfile(theirs))
        own = source_files(place, place.parent, set(sys.modules) - before, code_of(registry.method_file(inner)))
        opened = list(declared(theirs, place.parent).values())
        inner_code = provenance.code_of(
            {provenance.relative_name(one, place.parent): provenance.file_hash(one) for one in [*own, *opened]}
        )
        files += own
        read += opened
    if watch is not None:
        watch.settle([*files, *read])
    named = {provenance.relative_name(source, folder): source for source in [*files, *read]}
    sources = {name: provenance.file_hash(source) for name, source in named.items()}
    outside = {
        name: source.read_text(encoding="utf-8", errors="replace")
        for name, source in named.items()
        if not source.is_relative_to(ROOT) and source.suffix == ".py"
    }
    docstring = inspect.cleandoc(sys.modules[method.__module__].__doc__ or "")
    found = {}
    for name in tracks:
        track = registry.track(name)
        try:
            check_hyperparameters(file.name, method, track, hyperparameters)
        except BenchError as error:
            raise BenchError(f"{WRONG_VALUE}{error}") from None
        reason = unsupported(method, track, inner)
        space = {} if reason else {key: repr(values) for key, values in check_space(method, track).items()}
        if inner and not reason:
            fits_inside(method, track, inner)
            ranges = check_space(theirs, track.of_images())
            space |= {f"{method.inner}.{key}": repr(values) for key, values in ranges.items()}
        found[name] = MethodDescription(
            name=registry.joined(file.name, registry.method_file(inner).name) if inner else file.name,
            family=file.family,
            reference=reference,
            equation=docstring.partition("\n")[0],
            citation=citation_of(docstring),
            sources=sources,
            code=provenance.code_of(sources),
            learned=bool(method.learned),
            unsupported=reason,
            inner={method.inner: inner} if inner else {},
            inner_code=inner_code,
            sees_truth=method.sees_truth,
            space=space,
            recipe={key: getattr(method, key) for key in RECIPE if hasattr(method, key)} if method.learned else {},
            files=outside,
        ).model_dump()
    return found


def code_of(file: registry.MethodFile) -> Installed | None:
    """The installed code of a method that an entry point names."""
    return registry.installed(file.entry_point) if file.entry_point is not None else None


def inner_of(
    method: type[Method], file: registry.MethodFile, hyperparameters: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The inner method as it is loaded, "" where there is none, and the hyperparameters without it.

    It is asked for by ``outer+inner`` or as a hyperparameter. Raises `BenchError` where it is not known.
    """
    rest = dict(hyperparameters)
    if not method.inner:
        if file.inner:
            raise BenchError(f"{WRONG_VALUE}{file.name.partition(registry.JOINED)[0]} takes no inner method.")
        return "", rest
    asked = rest.pop(method.inner, file.inner or constructor_defaults(method)[method.inner])
    if ":" in str(asked):
        name = str(asked).partition(":")[0]
        raise BenchError(f"{WRONG_VALUE}{method.inner}={asked}: an inner method has no values by hand. Write {name}.")
    try:
        return registry.absolute(str(asked)), rest
    except BenchError as error:
        raise BenchError(f"{WRONG_VALUE}{method.inner}={asked}: {error}") from None


def fits_inside(method: type[Method], track: Track, inner: str) -> None:
    """Raise `BenchError` where a method cannot be made with its inner method."""
    try:
        build(method, track, {method.inner: inner})
    except BenchError as error:
        raise BenchError(f"{WRONG_VALUE}{method.inner}={inner}: {error}") from None


def describe_all(
    asked: Sequence[tuple[str, Mapping[str, Any]]], tracks: Sequence[Track], engine: Engine
) -> list[dict[str, MethodDescription] | str]:
    """For every (method, hyperparameters) its descriptions by track, or why it can't be described.

    Descriptions of methods of this repository are kept in the cache, so that a finished grid needs no import. Raises
    `BenchError` where a hyperparameter has a wrong name or value.
    """
    found: list[dict[str, MethodDescription] | str] = [{} for _ in asked]
    pending = {}
    for index, (name, hyperparameters) in enumerate(asked if tracks else ()):
        kept = cache_path(name, hyperparameters, tracks)
        values = (cache.read_values(kept) if kept else None) or {}
        found[index] = {track: MethodDescription(**one) for track, one in values.items()}
        if not found[index]:
            arguments = (registry.absolute(name), [track.id for track in tracks], dict(hyperparameters))
            pending[Task(name, describe, arguments, TIME)] = index, kept
    for ended in engine.work(list(pending)):
        index, kept = pending[ended.task]
        if ended.error.startswith(WRONG_VALUE):
            raise BenchError(ended.error.removeprefix(WRONG_VALUE))
        found[index] = ended.error or {track: MethodDescription(**one) for track, one in ended.value.items()}
        if kept and not ended.error:
            cache.write_values(kept, ended.value)
    return found


def cache_path(name: str, hyperparameters: Mapping[str, Any], tracks: Sequence[Track]) -> Path | None:
    """Where the descriptions of a method of this repository are kept: under a hash of everything they depend on."""
    asked = [name, *(value for value in hyperparameters.values() if isinstance(value, str))]
    if not all(is_ours(one) for one in asked):
        return None
    versions = [provenance.source_hash(), provenance.versions(), sys.version]
    scored = {track.id: key.scored(track, learned=True) for track in tracks}
    return cache.folder() / f"described-{key.digest([versions, name, dict(hyperparameters), scored])}.json"


def is_ours(name: str) -> bool:
    """Whether no code from outside of this repository is named: a word that names no method is a plain value."""
    try:
        file = registry.method_file(name)
    except BenchError:
        return not name.endswith(".py")
    inner = is_ours(file.inner) if file.inner else True
    return inner and file.path is not None and file.path.is_relative_to(ROOT)


def source_files(path: Path, folder: Path | None, loaded: set[str], code: Installed | None) -> list[Path]:
    """The method's file, every module that it names, and every module of its folder that was loaded with it.

    Of a method in an installed package all modules of the package count, and of its distribution all that it imports.
    """
    found = dict.fromkeys(provenance.source_files(path) if code is None else provenance.installed_files(code))
    for name in loaded:
        origin = Path(getattr(sys.modules.get(name), "__file__", None) or "")
        near = origin.is_relative_to(folder) if folder is not None else False
        if code is not None:
            near = code.owns(name) and origin.is_relative_to(code.folder)
        if near and origin.is_file() and origin.suffix == ".py" and not path.is_relative_to(ROOT):
            found[origin] = None
    return sorted(found)


def devices(report: Any) -> list[str]:
    """The GPUs that may be used, as `CUDA_VISIBLE_DEVICES` names them; none on a machine without."""
    import torch

    if not torch.cuda.is_available():
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
