"""The picture of a shift: a column for each of its points, x above the reconstruction above its error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.evaluation.pictures import CAPTION, ERROR_GAIN, GAP, SMALLEST, plane
from bench.stability.shifts import Shown


def save(points: Mapping[str, tuple[Shown, float]], path: Path) -> None:
    """Write the first test image at the ``points`` of a shift, with its score at each, as an 8-bit PNG.

    Grey values are those of x at the point; the error is shown around mid-grey, enlarged as in the pictures of a run.
    """
    from PIL import Image, ImageDraw

    columns = [panels(shown) for shown, _ in points.values()]
    height, width = (max(column.shape[axis] for column in columns) for axis in (0, 1))
    sheet = Image.new("L", (len(columns) * (width + GAP) - GAP, height + CAPTION), 255)
    draw = ImageDraw.Draw(sheet)
    for index, (column, (name, (_, score))) in enumerate(zip(columns, points.items(), strict=True)):
        left = index * (width + GAP)
        sheet.paste(Image.fromarray(column), (left, CAPTION))
        draw.text((left + 2, 1), f"{name}  {score:.4g}", fill=0)
    sheet.save(path)


def panels(shown: Shown) -> np.ndarray:
    """x, the reconstruction and its error one below the other, as grey values (3 H, W)."""
    x, x_hat = plane(shown.x), plane(shown.x_hat)
    low, scale = float(x.min()), 255.0 / max(float(np.ptp(x)), 1e-12)
    grey = np.vstack([(x - low) * scale, (x_hat - low) * scale, 127.5 + ERROR_GAIN * (x_hat - x) * scale / 2])
    zoom = max(1, -(-SMALLEST // min(x.shape)))
    return np.nan_to_num(grey).clip(0, 255).repeat(zoom, 0).repeat(zoom, 1).astype(np.uint8)
