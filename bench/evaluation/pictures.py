"""Pictures of a run: a reconstruction as x | direct | x_hat | error, std | |error|, and what was learned as tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from bench.evaluation.curves import Look

ERROR_GAIN = 5.0  # errors are shown this many times larger than the images
CAPTION = 14  # pixels
GAP = 4  # pixels
SMALLER = 320  # pixels: a panel of a look is made smaller by a whole factor until its shorter side is below
TILE = 24  # pixels that an atom is enlarged to, by a whole factor
SMALLEST = 160  # a panel is enlarged by a whole factor to at least this many pixels


@dataclass(frozen=True)
class Picture:
    """An image of the test set, (1, C, H, W) or (1, C, D, H, W), its direct and its reconstructed version.

    A method of findings may have none; its finding is shown beside the truth of it, both (1, classes, ...). A standard
    deviation has the shape of the image.
    """

    id: str
    x: Tensor
    direct: Tensor
    x_hat: Tensor | None
    scores: Mapping[str, float]
    target: Tensor | None = None
    finding: Tensor | None = None
    std: Tensor | None = None


def plane(image: Tensor) -> np.ndarray:
    """The image, or the middle slice of a volume, (H, W): the magnitude where it is complex."""
    array = image[0].double()
    array = array.square().sum(0).sqrt() if array.shape[0] == 2 else array[0]
    return (array[..., array.shape[-1] // 2] if array.ndim == 3 else array).numpy()


def file_name(picture: Picture) -> str:
    """An image may be named by its place in a data set."""
    return picture.id.replace("/", "-")


def save_look(picture: Picture, folder: Path, step: int) -> Look:
    """Write the picture of a validation image at a step, small, for there are many of them."""
    look = Look(folder / file_name(picture) / f"{step}.png")
    look.path.parent.mkdir(parents=True, exist_ok=True)
    save(picture, look.path, smaller=True)
    return look


def labels(maps: Tensor) -> np.ndarray:
    """Probabilities (1, classes, ...) as grey values, (H, W): the classes are shown from dark to bright."""
    count = maps.shape[1]
    grey = (np.arange(1, count + 1) / count)[:, None, None]
    return (np.stack([plane(maps[:, index : index + 1]) for index in range(count)]) * grey).sum(0) * 255


def save(picture: Picture, path: Path, *, smaller: bool = False) -> None:
    """Write the panels as an 8-bit PNG on the grey scale of x; the error is shown around mid-grey.

    The panels are x, the direct image, the method's image and its error, its standard deviation and the error's size
    on one scale, and the target and the finding, as far as they are there.
    """
    from PIL import Image, ImageDraw

    scores = "  ".join(f"{name} {value:.4g}" for name, value in picture.scores.items())
    stride = 1 + min(picture.x.shape[2:4]) // SMALLER if smaller else 1

    def shown(image: Tensor) -> np.ndarray:
        return plane(image)[::stride, ::stride]

    x, direct = shown(picture.x), shown(picture.direct)
    low, high = float(x.min()), float(x.max())
    scale = 255.0 / max(high - low, 1e-12)
    panels, captions = [(image - low) * scale for image in (x, direct)], ["x", "direct"]
    if picture.x_hat is not None:
        x_hat = shown(picture.x_hat)
        panels += [(x_hat - low) * scale, 127.5 + ERROR_GAIN * (x_hat - x) * scale / 2]
        captions += [f"x_hat  {scores}", f"error x {ERROR_GAIN:g}"]
        if picture.std is not None:
            sizes = (shown(picture.std), np.abs(shown(picture.x_hat - picture.x)))
            panels += [ERROR_GAIN * size * scale for size in sizes]
            captions += [f"std x {ERROR_GAIN:g}", f"|error| x {ERROR_GAIN:g}"]
    if picture.target is not None and picture.finding is not None:
        panels += [labels(part)[::stride, ::stride] for part in (picture.target, picture.finding)]
        captions += ["target", f"finding  {scores}"]
    zoom = max(1, -(-SMALLEST // min(x.shape)))
    panels = [panel.clip(0, 255).repeat(zoom, 0).repeat(zoom, 1) for panel in panels]
    height, width = panels[0].shape
    sheet = Image.new("L", (len(panels) * (width + GAP) - GAP, height + CAPTION), 255)
    draw = ImageDraw.Draw(sheet)
    for column, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left = column * (width + GAP)
        sheet.paste(Image.fromarray(panel.astype(np.uint8)), (left, CAPTION))
        while draw.textlength(caption) > width - 2:  # scores that the panel has no room for
            caption = caption.rpartition("  ")[0]
        draw.text((left + 2, 1), caption, fill=0)
    sheet.save(path)


def save_atoms(atoms: Tensor, path: Path) -> None:
    """Write atoms (N, h, w) as tiles of an 8-bit PNG, row by row, each on the grey scale of its own range."""
    from PIL import Image

    tiles = atoms.double().numpy()
    low = tiles.min((1, 2), keepdims=True)
    tiles = 255 * (tiles - low) / np.maximum(tiles.max((1, 2), keepdims=True) - low, 1e-12)
    zoom = max(1, -(-TILE // max(tiles.shape[1:])))
    tiles = tiles.repeat(zoom, 1).repeat(zoom, 2)
    count, height, width = tiles.shape
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = (step * (side + 1) + 1 for step, side in zip(divmod(index, columns), (height, width), strict=True))
        sheet[top : top + height, left : left + width] = tile.round()
    Image.fromarray(sheet).save(path)
