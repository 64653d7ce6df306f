"""Slices of the upper abdomen with their organs: liver, spleen, kidneys and spine, among structures of other names.

A slice lies at a height between the middle of the kidneys (0) and the dome of the liver (1). The liver and the spleen
grow with height, the kidneys end half way up, and the lungs begin above. Stomach, colon, bowel, great vessels, ribs and
muscles of the back are painted and have no label. All measures and densities vary widely, with and without a contrast
agent: methods that learn here are tested on real slices of another scanner.

Places and sizes were drawn by eye after textbook anatomy: H. Gray, Anatomy of the Human Body, 20th edition, 1918.
"""

from __future__ import annotations

import math

import numpy as np

from tasks.phantoms.shapes import Array, Numbers, coverage, ellipsoid, grid, paint, smooth_field
from tasks.phantoms.thorax import CORTEX, LUNG, MARROW, MAXIMUM, SKIN

ORGANS = ("liver", "spleen", "kidneys", "spine")  # in the order of the shares
FAT, MUSCLE, WATER = 0.171, 0.197, 0.19  # 1/cm
GRAIN = 0.004  # correlation length of the noise over the side: half a pixel of a 128x128 image


def abdomen(seed: int, index: int, size: int = 256) -> tuple[Array, Array]:
    """Slice ``index`` of ``seed``: attenuation (size, size) in 1/cm, and the share of each pixel that an organ fills,
    (organs, size, size). Front at the top, the patient's right on the left.
    """
    return _Slice(np.random.default_rng([seed, index]), size).painted()


def abdominal(seed: int, index: int, size: int = 256) -> Array:
    """The attenuation of a slice alone."""
    return abdomen(seed, index, size)[0]


def noiseless(seed: int, index: int, size: int = 256) -> Array:
    """The attenuation before noise and slow variation."""
    slice_ = _Slice(np.random.default_rng([seed, index]), size)
    slice_.painted()
    return slice_.image


class _Slice:
    """One slice while it is painted; coordinates run over [-1, 1], from front to back and from right to left."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.rng, self.size = rng, size
        self.image = np.zeros((size, size))
        self.shares = np.zeros((len(ORGANS), size, size))
        y, x = grid(size, size)
        bent = [axis + 0.03 * smooth_field(rng, (size, size), 0.12) for axis in (y, x)]
        tilt, shift = rng.normal(0, 0.04), rng.normal(0, 0.04, 2)
        self.y, self.x = bent[0] + tilt * bent[1] - shift[0], bent[1] - tilt * bent[0] - shift[1]

    def painted(self) -> tuple[Array, Array]:
        rng = self.rng
        height = rng.uniform(0, 1)
        wide, tall = rng.uniform(0.7, 0.95), rng.uniform(0.52, 0.74)
        outline = self.round_box(tall, wide)
        self.paint(SKIN, outline)
        self.paint(FAT, outline + 0.015)
        wall = outline + 0.015 + rng.uniform(0.02, 0.12)
        self.paint(MUSCLE, wall)
        self.inside = wall + rng.uniform(0.03, 0.07)
        self.paint(FAT, self.inside)
        # Organs shrink with the body; lengths below are those of a body of half-axes (0.65, 0.8)
        self.scale = np.array([tall / 0.65, wide / 0.8])
        contrast = rng.choice([0.0, rng.uniform(0.2, 1)])
        self.bowel(height)
        self.organ("spleen", self.spleen(height), self.density(45, 15, 60 * contrast))
        self.organ("liver", self.liver(height), self.density(50, 15, 50 * contrast))
        self.vessels(contrast)
        self.kidneys(height, contrast)
        self.lungs(height)
        self.back()
        self.ribs(wall)
        self.spine()
        noise = rng.uniform(0.01, 0.04) * smooth_field(rng, (self.size, self.size), GRAIN)
        variation = 1 + 0.01 * smooth_field(rng, (self.size, self.size), 0.12)
        return np.clip(self.image * variation * (1 + noise), 0, MAXIMUM), self.shares

    def paint(self, value: float, distance: Array, organ: str | None = None) -> None:
        """Paint a shape over all that is there, labels too."""
        cover = coverage(distance, 2.5 / self.size)
        paint(self.image, value, cover)
        self.shares *= 1 - cover
        if organ is not None:
            self.shares[ORGANS.index(organ)] += cover

    def organ(self, name: str, distance: Array, value: float) -> None:
        self.paint(FAT, distance - 0.012)
        self.paint(value, distance, name)

    def density(self, mean: float, spread: float, contrast: float = 0.0) -> float:
        """Attenuation of soft tissue, of a normal distribution in Hounsfield units."""
        return WATER * (1 + (self.rng.normal(mean, spread) + contrast) / 1000)

    def ellipse(self, centre: Numbers, radii: Numbers, angle: float = 0.0) -> Array:
        """Distance from an ellipse whose centre and radii vary by a tenth."""
        radii = np.multiply(radii, self.rng.uniform(0.88, 1.12, 2)) * self.scale
        centre = (np.asarray(centre) + self.rng.normal(0, 0.02, 2)) * self.scale
        return ellipsoid((self.y, self.x), centre, radii, angle + self.rng.normal(0, 0.15))

    def round_box(self, tall: float, wide: float) -> Array:
        """Distance, roughly, from an ellipse with fuller corners."""
        power = self.rng.uniform(2.1, 2.7)
        value = (np.abs(self.y / tall) ** power + np.abs(self.x / wide) ** power) ** (1 / power)
        return (value - 1) * np.hypot(self.y, self.x) / np.maximum(value, 1e-6)

    def lobed(self, distance: Array, strength: float = 0.02) -> Array:
        return distance + strength * smooth_field(self.rng, (self.size, self.size), 0.08)

    def liver(self, height: float) -> Array:
        """The right lobe along the wall, and from half way up the left one across the middle."""
        grown = np.clip(height * self.rng.uniform(0.9, 1.2), 0, 1)
        right = self.ellipse((-0.02 - 0.06 * grown, -0.6 + 0.22 * grown), (0.25 + 0.25 * grown, 0.14 + 0.28 * grown))
        left = self.ellipse((-0.3 + 0.08 * grown, -0.3 + 0.25 * grown), (0.1 + 0.16 * grown, 0.1 + 0.4 * grown))
        lobes = np.minimum(right, left) if grown > 0.35 else right
        return np.maximum(self.lobed(lobes), self.inside + 0.01)

    def spleen(self, height: float) -> Array:
        grown = np.clip(height * self.rng.uniform(0.8, 1.2), 0, 1)
        bean = self.ellipse((0.12 + 0.06 * grown, 0.64 - 0.12 * grown), (0.16 + 0.16 * grown, 0.1 + 0.15 * grown), 0.3)
        return np.maximum(self.lobed(bean), self.inside + 0.01)

    def kidneys(self, height: float, contrast: float) -> None:
        """A bean on either side of the spine, round a sinus of fat and urine that opens to the middle."""
        if height > self.rng.uniform(0.55, 0.8):
            return
        shrunk = math.sqrt(max(0.25, 1 - height))
        value = self.density(30, 10, 150 * contrast)
        for side in (-1, 1):
            centre = np.array([0.17 + 0.03 * side, side * (0.4 - 0.08 * height)])
            radii = shrunk * np.array([0.17, 0.125])
            self.organ("kidneys", self.ellipse(centre, radii, 0.4 * side), value)
            if height < 0.45:
                sinus = self.ellipse(centre - (0, 0.06 * side), 0.45 * radii, 0.4 * side)
                self.paint(FAT if self.rng.random() < 0.6 else self.density(10, 5), sinus)

    def vessels(self, contrast: float) -> None:
        value = self.density(42, 5, 120 * contrast)
        self.paint(value, self.ellipse((0.06, 0.07), (0.045, 0.045)))
        self.paint(value, self.ellipse((0.03, -0.1), (0.05, 0.06)))
        for _ in range(self.rng.integers(2, 6)):  # pancreas, duodenum, crura, veins
            at = self.rng.uniform((-0.2, -0.25), (0.1, 0.25))
            radii = self.rng.uniform(0.03, 0.09, 2)
            self.paint(self.density(35, 12, 40 * contrast), self.ellipse(at, radii, self.rng.uniform(0, 3)))

    def bowel(self, height: float) -> None:
        """Stomach, colon and small bowel: a wall round fluid, food, stool or gas."""
        places = [((-0.28, 0.3), (0.2, 0.14)), ((-0.25, 0.55), (0.15, 0.12)), ((0.0, 0.62), (0.12, 0.09))]
        loops = self.rng.integers(2, 8) if height < 0.6 else 0
        places += [(tuple(self.rng.uniform((-0.5, -0.5), (-0.05, 0.6))), (0.09, 0.08)) for _ in range(loops)]
        for centre, radii in places:
            if self.rng.random() < 0.2:
                continue
            tube = np.maximum(self.lobed(self.ellipse(centre, radii, self.rng.uniform(0, 3))), self.inside)
            self.paint(self.density(35, 10), tube)
            kind = self.rng.choice(["gas", "fluid", "stool", "full"])
            if kind != "full":
                hollow = tube + self.rng.uniform(0.012, 0.03)
                self.paint(self.density(15, 10), hollow)
                level = self.y - centre[0] * self.scale[0] - self.rng.uniform(-0.1, 0.1)
                if kind == "gas":
                    self.paint(0.002, np.maximum(hollow, level))
                elif kind == "stool":
                    crumbs = 0.1 * smooth_field(self.rng, (self.size, self.size), 0.02)
                    self.paint(0.08, np.maximum(hollow, crumbs))

    def lungs(self, height: float) -> None:
        """Crescents behind liver and spleen, and all of the border at the height of the dome."""
        reach = (height - self.rng.uniform(0.5, 0.8)) * 0.4
        if reach <= 0:
            return
        depth = np.clip(self.y + 0.1 + 2 * reach, 0, 1) * reach
        recess = np.maximum(self.inside + 0.005, -(self.inside + depth))
        self.paint(LUNG * self.rng.uniform(0.8, 1.6), np.maximum(recess, 0.1 - np.abs(self.x)))

    def back(self) -> None:
        value = self.density(35, 12)
        for side in (-1, 1):
            self.organless(self.ellipse((0.46, 0.27 * side), (0.13, 0.22), 0.15 * side), value)
            self.organless(self.ellipse((0.25, 0.2 * side), (0.09, 0.06)), value)

    def organless(self, distance: Array, value: float) -> None:
        self.paint(FAT, distance - 0.01)
        self.paint(value, distance)

    def ribs(self, wall: Array) -> None:
        angle = np.arctan2(self.x, -self.y)
        for side in (-1, 1):
            at = self.rng.uniform(0.9, 1.2)
            while at < 2.8:
                half = self.rng.uniform(0.05, 0.2)
                along = (np.abs(np.angle(np.exp(1j * (angle - side * at)))) - half) * np.hypot(self.y, self.x)
                self.bone(np.maximum(np.abs(wall + 0.03) - self.rng.uniform(0.014, 0.022), along), 0.01)
                at += 2 * half + self.rng.uniform(0.15, 0.4)

    def spine(self) -> None:
        """The body of a vertebra or, between two of them, a disc, with an arch round the canal."""
        if self.rng.random() < 0.2:
            disc = self.ellipse((0.2, 0), (0.11, 0.14))
            self.paint(self.density(80, 15), disc)
        else:
            self.bone(self.ellipse((0.2, 0), (0.11, 0.14)), 0.014, "spine")
        wings = self.ellipse((0.4, 0), (0.03, self.rng.uniform(0.1, 0.22)))
        process = self.ellipse((0.5, 0), (0.1, 0.02))
        canal = self.ellipse((0.35, 0), (0.045, 0.055))
        self.bone(np.minimum(np.minimum(wings, process), np.abs(canal) - 0.016), 0.012, "spine")
        self.paint(self.density(30, 8), canal)

    def bone(self, distance: Array, shell: float, organ: str | None = None) -> None:
        self.paint(CORTEX * self.rng.uniform(0.75, 1), distance, organ)
        self.paint(MARROW * self.rng.uniform(0.78, 0.95), distance + shell, organ)
