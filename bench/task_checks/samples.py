"""Samples have the declared shape and the same bits again, no two splits share an image, and training makes batches."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from bench.contract.task import SPLITS, Sample
from bench.contract.toy_trial import Breach
from bench.data.measurements import digest
from bench.task_checks.opened import CPU, Opened


def opens(opened: Opened) -> None:
    images = opened.problem.images
    if set(images) != set(SPLITS):
        raise Breach(f"its splits are {', '.join(sorted(images))}, expected {', '.join(SPLITS)}")
    for split in SPLITS:
        if not len(images[split]):
            raise Breach(f"the split {split!r} has no image")


def keeps_splits_apart(opened: Opened) -> None:
    images, track = opened.problem.images, opened.track
    for name, times in Counter(name for split in SPLITS for name in images[split].ids).items():
        if times > 1:
            raise Breach(f"the image {name!r} is there {times} times: each is in one split, once")
        if set("/\\ ") & set(name):
            raise Breach(f"the image {name!r} names a picture: it can have no slash and no space")
    if len(images["val"]) < track.budget.validation_images:
        wish = f"its budget asks for {track.budget.validation_images} validation images"
        raise Breach(f"{wish}, but there are {len(images['val'])}")
    groups = {split: {images[split].group_of(name) for name in images[split].ids} for split in SPLITS}
    first: dict[bytes, str] = {}
    for i, split in enumerate(SPLITS):
        for other in SPLITS[:i]:
            shared = groups[split] & groups[other]
            if shared:
                raise Breach(f"the splits {other!r} and {split!r} share the group {min(shared)!r}")
        bits = opened.sample(split).x.numpy().tobytes()
        if bits in first:  # phantoms of one seed are named apart and are alike
            raise Breach(f"the first images of {first[bits]!r} and {split!r} are the same")
        first[bits] = split


def has_the_declared_shape(opened: Opened) -> None:
    track = opened.track
    for split in SPLITS:
        image = opened.sample(split)
        if image.x.dtype != torch.float64:
            raise Breach(f"x of {image.id} is {image.x.dtype}, expected float64")
        if image.y.dtype not in (torch.float32, torch.complex64):
            raise Breach(f"y of {image.id} is {image.y.dtype}, expected a float or complex tensor")
        if image.x.ndim != 1 + track.dims or len(image.x) != track.channels:
            declared = f"channels={track.channels} and dims={track.dims}"
            raise Breach(f"x of {image.id} has the shape {tuple(image.x.shape)}, but the track declares {declared}")
        if len(image.y) != track.measured_channels:
            declared = f"measured_channels={track.measured_channels}"
            raise Breach(f"y of {image.id} has the shape {tuple(image.y.shape)}, but the track declares {declared}")
        for name, tensor in tensors(image).items():
            if not bool(torch.isfinite(tensor).all()):
                raise Breach(f"{name} of {image.id} has NaN or infinite values")
        if not float(image.x.std()) > 0:
            raise Breach(f"x of {image.id} is constant")
        if not float(image.y.abs().max()) > 0:
            raise Breach(f"y of {image.id} is zero")
        if image.target is not None and not track.classes:
            raise Breach(f"{image.id} has a target, but the track declares classes=0")


def measures_the_same_again(opened: Opened) -> None:
    first, again = (tensors(sample) for sample in (opened.sample("test"), opened.anew(opened.track)))
    for name in {**first, **again}:
        if name not in first or name not in again or digest(first[name]) != digest(again[name]):
            raise Breach(f"{name} has other bits when the track is opened again: draw random numbers from `rng` alone")


def tensors(sample: Sample) -> dict[str, Tensor]:
    """All that was measured of an image, by name."""
    target = {f"target[{name!r}]": value for name, value in (sample.target or {}).items()}
    return {"x": sample.x, "y": sample.y, **sample.params, **target}


def has_shifts(opened: Opened) -> None:
    own = opened.sample("test")
    for shift in opened.track.shifts:
        found = {digest(own.y): shift.own}
        for point in shift.points:
            if point == shift.own:
                continue
            image = opened.anew(shift.at(opened.track, point))
            if image.x.shape != own.x.shape:
                change = f"from {tuple(own.x.shape)} to {tuple(image.x.shape)}"
                raise Breach(f"the shift {shift.name!r} at {point!r} changes the shape of x {change}")
            if not bool(torch.isfinite(image.y).all()):
                raise Breach(f"the shift {shift.name!r} at {point!r} gives y NaN or infinite values")
            bits = digest(image.y)
            if bits in found:
                raise Breach(f"the shift {shift.name!r} measures the same y at {point!r} and at {found[bits]!r}")
            found[bits] = point


def makes_training_batches(opened: Opened) -> None:
    track = opened.track
    x, y, params, *target = opened.training_batch()
    if len(target) != (track.classes > 0):
        raise Breach(f"it has classes={track.classes}, but training samples have {'a' if target else 'no'} target")
    if x.dtype != torch.float32 or x.shape[:2] != (2, track.channels):
        expected = f"float32 and (2, {track.channels}, ...)"
        raise Breach(f"x of two training samples is {x.dtype} and {tuple(x.shape)}, expected {expected}")
    physics = opened.problem.physics(params, CPU)
    matches("A(x) of two training samples", physics.A(x), y)
    matches("A_adjoint(y) of two training samples", physics.A_adjoint(y), x)
    if torch.equal(y[0], y[1]):
        raise Breach("two training samples have the same y")


def matches(what: str, found: Tensor, expected: Tensor) -> None:
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        wish = f"{tuple(expected.shape)} in {expected.dtype}"
        raise Breach(f"{what} is {tuple(found.shape)} in {found.dtype}, expected {wish}")
