"""The picture of a shift: a column for each of its points, x above the reconstruction above its error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from bench.contract.task import Track
from bench.evaluation.pictures import CAPTION, ERROR_GAIN, GAP, SMALLEST
from bench.stability.shifts import STRUCTURE, Shown


def caption(track: Track, shift: str, point: str, scores: Mapping[str, float]) -> str:
    """A point and the score of the first image there; an image of a set has no score of its own."""
    if shift != STRUCTURE and track.primary.record:
        return point
    return f"{point}: {next(iter(scores.values())):.4g} {'%' if shift == STRUCTURE else track.primary.unit}".rstrip()


def save_all(
    pictures: Mapping[str, Mapping[str, Shown]], folder: Path, name: str, report: Callable[[str], None]
) -> None:
    """Write the picture of each shift in the place of earlier ones; one that can't be made costs no other.

    ``name`` of a file has a place for the shift.
    """
    for path in folder.glob(name.format("*")):
        path.unlink()
    for shift, points in pictures.items():
        path = folder / name.format(shift.replace("/", "-"))
        try:
            save(points, path)
        except Exception as error:
            path.unlink(missing_ok=True)
            report(f"no picture of {shift}: {type(error).__name__}: {error}")


def save(points: Mapping[str, Shown], path: Path) -> None:
    """Write the first test image at some points of a shift, by their captions, as an 8-bit PNG.

    Grey values are those of x at the point; the error is shown around mid-grey, enlarged as in the pictures of a run.
    """
    from PIL import Image, ImageDraw

    columns = [panels(shown) for shown in points.values()]
    height, width = (max(column.shape[axis] for column in columns) for axis in (0, 1))
    sheet = Image.new("L", (len(columns) * (width + GAP) - GAP, height + CAPTION), 255)
    draw = ImageDraw.Draw(sheet)
    for index, (column, caption) in enumerate(zip(columns, points, strict=True)):
        left = index * (width + GAP)
        sheet.paste(Image.fromarray(column), (left, CAPTION))
        draw.text((left + 2, 1), caption, fill=0)
    sheet.save(path)


def panels(shown: Shown) -> np.ndarray:
    """x, the reconstruction and its error one below the other, as grey values (3 H, W)."""
    x, x_hat = shown
    low, scale = float(x.min()), 255.0 / max(float(np.ptp(x)), 1e-12)
    grey = np.vstack([(x - low) * scale, (x_hat - low) * scale, 127.5 + ERROR_GAIN * (x_hat - x) * scale / 2])
    zoom = max(1, -(-SMALLEST // min(x.shape)))
    return np.nan_to_num(grey).clip(0, 255).repeat(zoom, 0).repeat(zoom, 1).astype(np.uint8)
