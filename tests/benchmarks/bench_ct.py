"""How fast is the stored system matrix? CPU times of other projectors over ours, taken in turns on one thread.

256 x 256 pixels, 60 views.
"""

from collections.abc import Callable

import numpy as np
import torch
from deepinv.physics import Tomography

from tasks.physics.ct import CT
from tasks.physics.projector import Geometry
from tests.benchmarks.timing import Row, alternate, threads

SIZE, VIEWS = 256, 60


def astra_projector(geometry: Geometry, images: np.ndarray) -> tuple[Callable[[], object], Callable[[], object]] | None:
    """ASTRA's `linear` projector on the CPU, forward and adjoint, on each image in turn; None where it is missing."""
    try:
        import astra
    except ImportError:
        return None
    volume = astra.create_vol_geom(geometry.size, geometry.size)
    detector = astra.create_proj_geom("parallel", geometry.spacing, geometry.bins, np.array(geometry.angles))
    projector = astra.OpTomo(astra.create_projector("linear", detector, volume))
    views = [projector.FP(image) for image in images]
    return lambda: [projector.FP(image) for image in images], lambda: [projector.BP(view) for view in views]


def compare(batch: int) -> list[Row]:
    geometry = Geometry.parallel(SIZE, VIEWS)
    ours = CT(geometry)
    degrees = torch.rad2deg(torch.tensor(geometry.angles))
    deepinv = Tomography(angles=degrees, img_width=SIZE, circle=False, normalize=False)
    x = torch.rand(batch, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    y, theirs = ours.A(x), deepinv.A(x)
    forward = {"ours": lambda: ours.A(x), "deepinv": lambda: deepinv.A(x)}
    adjoint = {"ours": lambda: ours.A_adjoint(y), "deepinv": lambda: deepinv.A_adjoint(theirs)}
    if astra := astra_projector(geometry, x[:, 0].numpy()):
        forward["astra"], adjoint["astra"] = astra
    rows = []
    for direction, calls in (("forward", forward), ("adjoint", adjoint)):
        seconds = alternate(calls)
        for other in list(calls)[1:]:
            expected = "at least 15" if (other, batch) == ("deepinv", 8) else "above 1"
            rows.append((f"ct {direction}, batch {batch}: {other} / ours", seconds[other] / seconds["ours"], expected))
    return rows


def main() -> list[Row]:
    with threads(1), torch.no_grad():
        return [row for batch in (1, 8) for row in compare(batch)]
