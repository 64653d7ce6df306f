"""Reads one array of a data set from a file of any format in use. An unreadable file is one line for the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.manifest import file
from bench.errors import BenchError


def read(name: str, relative: str) -> np.ndarray:
    """The array in file ``relative`` of data set ``name``: PNG, NPY, NIfTI, or MATLAB's with a single variable.

    Numbers keep the type they are stored in. Raises BenchError where the file is missing or corrupt.
    """
    path = file(name, relative)
    readers: dict[str, Callable[[Path], np.ndarray]] = {".png": _png, ".npy": np.load, ".mat": _mat, ".gz": _nifti}
    try:
        return readers[path.suffix](path)
    except Exception as error:  # each library has its own
        raise _unreadable(path, error) from error


def voxel_size(name: str, relative: str) -> tuple[float, float, float]:
    """Size in mm along each axis, from the header of a NIfTI file."""
    import nibabel

    path = file(name, relative)
    try:
        x, y, z = nibabel.load(path).header.get_zooms()[:3]  # type: ignore[attr-defined]
    except Exception as error:
        raise _unreadable(path, error) from error
    return float(x), float(y), float(z)


def _unreadable(path: Path, error: Exception) -> BenchError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return BenchError(f"{path} cannot be read: {reason}")


def _png(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)


def _nifti(path: Path) -> np.ndarray:
    import nibabel

    return np.asarray(nibabel.load(path).dataobj)  # type: ignore[attr-defined]


def _mat(path: Path) -> np.ndarray:
    import h5py
    from scipy.io import loadmat

    if h5py.is_hdf5(path):  # MATLAB 7.3 stores columns first
        with h5py.File(path) as stored:
            return _only(stored)[()].T
    return _only({name: array for name, array in loadmat(path).items() if not name.startswith("__")})


def _only(variables: Any) -> Any:
    if len(variables) != 1:
        raise ValueError(f"expected one variable, found {', '.join(variables) or 'none'}")
    return next(iter(variables.values()))
