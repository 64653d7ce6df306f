"""Real MR images, 256x256, and the sampling masks published with them.

Every mask is returned with the zero frequency at the **centre**, index (128, 128), also where its file has it at a
corner; apply
``numpy.fft.ifftshift`` for a Fourier transform that is not shifted.

Nobody tells the subjects, so the groups follow the look of the images; a test checks them:

- ``brain-istanet``: a stack of neighbouring axial slices (1 to 24), then one of sagittal slices (25 to 50). Slices of a
  stack show one subject, so there are two groups; both stacks may even show the same subject.
- ``siat31``: two axial, two coronal and two sagittal views take turns, and each six of them look like one subject. So
  files 1 to 6, 7 to 12, 13 to 18 and 19 to 21 are four groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.contract.task import Images
from bench.data.manifest import manifest
from tasks.datasets.reader import read

AXIAL = 24  # the first images of brain-istanet; the others are sagittal
SIAT_VIEWS = 6  # consecutive files of siat31 that show one subject
CARDIAC_VAL = 16  # the last images: the longest last block with the least correlation to the rest (0.73)


def brain_istanet() -> Images:
    """The 50 test images of ADMM-Net and ISTA-Net: magnitudes (256, 256), float64, uint8 / 255."""

    def stack(image: str) -> str:
        return "axial" if _number(image) <= AXIAL else "sagittal"

    return _images("brain-istanet", lambda image: image / 255, stack)


def istanet_mask(percent: int) -> NDArray[np.bool_]:
    """Their radial mask (256, 256) of 10, 20, 30, 40 or 50 per cent; its file has the zero frequency at the corner."""
    return np.fft.fftshift(read("brain-istanet", f"masks/mask_{percent}.mat") != 0)


def cardiac_admmnet() -> dict[str, Images]:
    """Training and validation images of chest and heart: real (256, 256), float64 in [0, 1].

    No subject ids: the splits are contiguous blocks of the numbered files.
    """
    images = _images("cardiac-admmnet", lambda image: image.astype(np.float64))
    return {
        "train": Images(images.ids[:-CARDIAC_VAL], images.load),
        "val": Images(images.ids[-CARDIAC_VAL:], images.load),
    }


def siat31() -> Images:
    """21 brain slices: complex128 (256, 256), largest magnitude 1."""

    def subject(image: str) -> str:
        return f"subject-{(_number(image) - 1) // SIAT_VIEWS + 1}"

    return _images("siat31", lambda image: image.astype(np.complex128), subject)


def siat_mask(pattern: str, percent: int) -> NDArray[np.bool_]:
    """The mask (256, 256) ``radial``, ``random`` (10, 15, 20, 25, 30 per cent) or ``cart`` (10, 20, 25, 30).

    The files have the zero frequency at the centre, where all of them sample a block of low frequencies.
    """
    return read("siat31", f"masks/mask_{pattern}_{percent:03d}.mat") != 0


def _number(image: str) -> int:
    return int(image.replace("-", "_").rsplit("_", 1)[1])


def _images(
    name: str, convert: Callable[[np.ndarray], np.ndarray], group: Callable[[str], str] | None = None
) -> Images:
    files = {path.rsplit(".", 1)[0]: path for path in manifest(name).files if not path.startswith("masks/")}
    ids = sorted(files, key=_number)
    return Images(tuple(ids), lambda image: convert(read(name, files[image])), group)
