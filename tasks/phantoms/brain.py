"""Brain: seeded complex axial MR slices.

Scalp, skull, cerebrospinal fluid, a folded cortex of grey matter around white matter, ventricles, deep nuclei and
lesions, weighted by T1 or by T2, under a smooth receive profile and a smooth phase. Tissues carry texture, edges have
partial volume.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.phantoms.shapes import Array, coverage, ellipsoid, grid, paint, smooth_field

TEXTURE = 0.07  # standard deviation, relative
GRAIN = 0.009  # correlation length of the texture over the side: about a pixel of a 96x96 image
# Signal relative to the brightest tissue, T1- and T2-weighted spin echo at 1.5 to 3 T
TISSUES = ("scalp", "bone", "marrow", "fluid", "grey", "white", "nuclei", "pallidum")
T1 = dict(zip(TISSUES, (0.95, 0.07, 0.55, 0.18, 0.5, 0.74, 0.56, 0.63), strict=True))
T2 = dict(zip(TISSUES, (0.5, 0.05, 0.3, 1.0, 0.58, 0.38, 0.52, 0.3), strict=True))
CORTEX = (
    0.042  # thickness, in units of the grid: 3 mm in a field of view of 22 cm is 0.027, and slices cut it obliquely
)
FLUID = 0.012  # half the width of a sulcus


class Canvas:
    """The intensity of a slice, and the share of each pixel that some of its tissues fill, (len(wanted), H, W)."""

    def __init__(self, signal: dict[str, float], size: int, wanted: Sequence[str]) -> None:
        self.image = np.zeros((size, size))
        self.signal = signal
        self.wanted = wanted
        self.shares = np.zeros((len(wanted), size, size))

    def fill(self, tissue: str, cover: Array) -> None:
        """Blend a tissue in where a shape covers it."""
        paint(self.image, self.signal[tissue], cover)
        for share, name in zip(self.shares, self.wanted, strict=True):
            paint(share, float(name == tissue), cover)


def brain(seed: int, index: int, size: int = 192) -> NDArray[np.complex128]:
    """Slice ``index`` of ``seed``: complex (size, size), largest magnitude 1; front at the top."""
    return labelled_brain(seed, index, size, ())[0]


def labelled_brain(
    seed: int, index: int, size: int = 192, wanted: Sequence[str] = ("grey", "white", "fluid")
) -> tuple[NDArray[np.complex128], Array]:
    """The slice `brain`, and the share of each pixel that the ``wanted`` tissues fill, (len(wanted), size, size)."""
    rng = np.random.default_rng([seed, index])
    pixel = 2 / size
    signal = {name: value * rng.uniform(0.92, 1.08) for name, value in (T1 if rng.random() < 0.6 else T2).items()}
    y, x = _warped(rng, size)
    canvas = Canvas(signal, size, wanted)

    tall, wide = rng.uniform(0.82, 0.9), rng.uniform(0.66, 0.74)
    head = ellipsoid((y, x), (0, 0), (tall, wide))
    canvas.fill("scalp", coverage(head, pixel))
    scalp = rng.uniform(0.035, 0.06) * (1 + 0.25 * smooth_field(rng, (size, size), 0.12))
    canvas.fill("bone", coverage(head + scalp, pixel))
    skull = 0.055 * (1 + 0.2 * smooth_field(rng, (size, size), 0.1))
    diploe = np.abs(head + scalp + skull / 2) - 0.2 * skull
    canvas.fill("marrow", coverage(diploe, pixel) * rng.uniform(0.2, 0.8))
    inner = head + scalp + skull
    canvas.fill("fluid", coverage(inner, pixel))

    depth = -(inner + rng.uniform(0.015, 0.03))  # below the surface of the brain
    surface = _folded(rng, y, x, depth, tall)
    canvas.fill("grey", coverage(-surface, pixel))
    thickness = CORTEX * (1 + 0.15 * smooth_field(rng, (size, size), 0.06))
    canvas.fill("white", coverage(thickness - surface, pixel))
    _deep(canvas, rng, y, x)

    image = canvas.image
    image *= 1 + TEXTURE * smooth_field(rng, (size, size), GRAIN)
    return received(image, rng, y, x), canvas.shares


def received(image: Array, rng: np.random.Generator, y: Array, x: Array) -> NDArray[np.complex128]:
    """An intensity under a smooth receive profile and a smooth phase, its largest magnitude 1; all (size, size)."""
    profile = 1 + 0.12 * smooth_field(rng, image.shape, 0.3)
    image = np.maximum(image * profile, 0)
    ramp = rng.normal(0, 0.5, 2)
    phase = rng.uniform(-np.pi, np.pi) + ramp[0] * y + ramp[1] * x + 0.7 * smooth_field(rng, image.shape, 0.2)
    return image / image.max() * np.exp(1j * phase)


def _warped(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Coordinates of the grid, turned and bent: no two subjects have the same outlines."""
    y, x = grid(size, size)
    y, x = (axis + 0.014 * smooth_field(rng, (size, size), 0.15) for axis in (y, x))
    angle = rng.normal(0, 0.06)
    return np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y


def _folded(rng: np.random.Generator, y: Array, x: Array, depth: Array, tall: float) -> Array:
    """Distance into the brain from its folded surface: from the hull, the sulci and the fissure between hemispheres."""
    size = len(depth)
    # Sulci are the zero lines of a wave over the angle, whose phase wanders with angle and, slowly, with depth.
    angle = np.arctan2(x, -y)
    wander = 1.3 * smooth_field(rng, (size, size), 0.07) + 1.5 * smooth_field(rng, (size, size), 0.16)
    folds = np.cos(rng.integers(10, 14) * angle + wander)
    slope = np.hypot(*np.gradient(folds, 2 / size))
    across = np.abs(folds) / np.maximum(slope, 1e-6)
    reach = 0.15 + 0.08 * smooth_field(rng, (size, size), 0.05)
    sulci = np.hypot(across, np.maximum(0, depth - reach))
    bend = 0.012 * smooth_field(rng, (size, size), 0.1)
    fissure = np.hypot(x + bend, np.maximum(0, rng.uniform(0.36, 0.46) * tall - np.abs(y + 0.02)))
    for side in (-1, 1):  # the lateral fissure, with the insula at its bottom
        start = np.array([rng.uniform(-0.2, 0.0), side * rng.uniform(0.36, 0.42)])
        run = np.array([rng.uniform(-0.05, 0.12), side * 0.3])
        t = np.clip(((y - start[0]) * run[0] + (x - start[1]) * run[1]) / (run @ run), 0, 1)
        line = np.hypot(y - start[0] - t * run[0], x - start[1] - t * run[1])
        t = np.clip((y - start[0] + 0.12) / 0.26, 0, 1)
        bottom = np.hypot(y - start[0] + 0.12 - 0.26 * t, x - start[1] - side * 0.12 * (t - 0.5) ** 2)
        sulci = np.minimum(sulci, np.minimum(line, bottom))
    return np.minimum(depth, np.minimum(sulci, fissure) - FLUID)


def _deep(canvas: Canvas, rng: np.random.Generator, y: Array, x: Array) -> None:
    """Nuclei, ventricles and lesions inside the white matter."""
    size = len(canvas.image)
    pixel = 2 / size
    centre = rng.uniform(-0.06, 0.02)
    age = rng.uniform(0.75, 1.5)  # widens the ventricles
    canvas.fill("white", coverage(ellipsoid((y, x), (centre, 0), (0.36, 0.3)), 0.08))
    for side in (-1, 1):

        def part(
            name: str, at: tuple[float, float], radii: tuple[float, float], angle: float, side: int = side
        ) -> None:
            at = (centre + at[0] + rng.normal(0, 0.008), side * (at[1] + rng.normal(0, 0.006)))
            radii = (radii[0] * rng.uniform(0.88, 1.12), radii[1] * rng.uniform(0.88, 1.12))
            canvas.fill(name, coverage(ellipsoid((y, x), at, radii, side * angle), 1.5 * pixel))

        part("nuclei", (0.1, 0.105), (0.125, 0.075), -0.35)  # thalamus
        part("nuclei", (-0.03, 0.25), (0.15, 0.055), -0.2)  # putamen
        part("pallidum", (0.01, 0.205), (0.085, 0.034), -0.3)
        part("nuclei", (-0.2, 0.115), (0.085, 0.05), -0.25)  # head of the caudate
        part("fluid", (-0.2, 0.055), (0.11, 0.022 * age), 0.3)  # frontal horn
        part("fluid", (0.3, 0.16), (0.12, 0.03 * age), 0.45)  # trigone
    canvas.fill("white", coverage(ellipsoid((y, x), (centre - 0.34, 0), (0.035, 0.13)), 2 * pixel))
    canvas.fill("white", coverage(ellipsoid((y, x), (centre + 0.34, 0), (0.04, 0.12)), 2 * pixel))
    canvas.fill("fluid", coverage(ellipsoid((y, x), (centre + 0.06, 0), (0.12, 0.012 * age)), 1.5 * pixel))
    for _ in range(rng.poisson(1.5)):  # lesions of the white matter
        at = (centre + rng.uniform(-0.35, 0.35), rng.choice([-1, 1]) * rng.uniform(0.2, 0.36))
        radii = rng.uniform(0.012, 0.045, 2)
        lesion = ellipsoid((y, x), at, radii) + 0.1 * radii.min() * smooth_field(rng, (size, size), 0.02)
        canvas.fill("fluid", coverage(lesion, 2 * pixel) * rng.uniform(0.3, 0.7))
