"""Reads one array of a data set, whatever its format. A file that cannot be read rightly is one line for the user.

| ending | what is read |
|---|---|
| `.png` | one grey or colour image of 8 bits, grey of 16 bits too; a palette becomes grey or colour (H, W[, 3]) |
| `.jpg` | one grey or colour image of 8 bits |
| `.npy`, `.npz` | one array of numbers |
| `.mat` | MATLAB 4 to 7.3: one array of numbers, real, complex or sparse |
| `.nii`, `.nii.gz` | NIfTI, its axes turned to right, anterior, superior where the header tells where they point |
| `.dcm` | one DICOM image, MONOCHROME2, rescaled as its header says (package pydicom) |

Endings may be in capital letters.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.manifest import file
from bench.errors import BenchError

Array = np.ndarray[Any, np.dtype[Any]]


def read(name: str, relative: str) -> Array:
    """The array in file ``relative`` of data set ``name``; numbers keep the type they are stored in.

    Raises BenchError where the file is missing, corrupt, or holds something else than the module's table says.
    """
    path = file(name, relative)
    reader = next((read for ending, read in READERS.items() if path.name.lower().endswith(ending)), None)
    if reader is None:
        raise BenchError(f"{path} is of a format that is not read. Convert it to one of {', '.join(READERS)}.")
    try:
        return _numbers(reader(path))
    except Exception as error:  # each library has its own
        raise _unreadable(path, error) from error


def voxel_size(name: str, relative: str) -> tuple[float, float, float]:
    """Size in mm along each axis of the array that `read` gives, from the header of a NIfTI file."""
    path = file(name, relative)
    try:
        x, y, z = _canonical(path).header.get_zooms()[:3]
    except Exception as error:
        raise _unreadable(path, error) from error
    return float(x), float(y), float(z)


def b0_direction(name: str, relative: str) -> tuple[float, float, float]:
    """The scanner's main field, its z axis, as a unit vector along the axes of the array that `read` gives.

    (0, 0, 1) where the header of the NIfTI file does not tell where the axes point.
    """
    path = file(name, relative)
    try:
        image = _canonical(path)
        axes = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    except Exception as error:
        raise _unreadable(path, error) from error
    x, y, z = np.linalg.solve(axes, [0.0, 0.0, 1.0]) if _is_oriented(image) else (0.0, 0.0, 1.0)
    return float(x), float(y), float(z)


def _unreadable(path: Path, error: Exception) -> BenchError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return BenchError(f"{path} cannot be read: {reason}")


def _numbers(array: Any) -> Array:
    """An array of numbers in the byte order of this machine."""
    array = np.asarray(array)
    if array.dtype.kind not in "biufc":
        raise ValueError(f"it holds {array.dtype.name}, expected an array of numbers")
    if array.size == 0:
        raise ValueError("its array is empty")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.copy() if min(array.strides, default=0) < 0 else array  # torch takes no array that runs backwards


def _png(path: Path) -> Array:
    from PIL import Image

    with path.open("rb") as stream:
        head = stream.read(26)
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("it is no PNG")
    depth, colour = struct.unpack(">BB", head[24:26]) if len(head) == 26 else (0, 0)
    if depth == 16 and colour != 0:
        raise ValueError("its 16 bits of colour would become 8: store it as .npy")
    with Image.open(path) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise ValueError("it holds several images, expected one")
        image.load()
        if "A" in image.getbands() or "transparency" in image.info:
            if np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
                raise ValueError("it is transparent in places: put it on a background")
            image.info.pop("transparency", None)
            image = image.convert("L" if image.mode in ("LA", "L") else "RGB")  # type: ignore[assignment]
        if image.mode == "P":
            array = np.asarray(image.convert("RGB"))
            grey = (array == array[..., :1]).all()
            return array[..., 0] if grey else array
        if image.mode.startswith("I"):
            return np.asarray(image).astype(np.uint16)
        return np.asarray(image)


def _jpeg(path: Path) -> Array:
    from PIL import Image

    with Image.open(path, formats=["JPEG"]) as image:
        if image.mode not in ("L", "RGB"):
            raise ValueError(f"its colours are {image.mode}, expected grey or RGB")
        return np.asarray(image)


def _npz(path: Path) -> Array:
    with path.open("rb") as stream, np.load(stream) as stored:
        return _only(stored)


def _npy(path: Path) -> Array:
    with path.open("rb") as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):
            raise ValueError("it goes on behind its array")
    return array


def _nifti(path: Path) -> Array:
    return np.asarray(_canonical(path).dataobj)


def _canonical(path: Path) -> Any:
    """A NIfTI image with its axes to right, anterior, superior; as it is where its header tells no orientation."""
    import nibabel

    image: Any = nibabel.load(path)
    return nibabel.as_closest_canonical(image) if _is_oriented(image) else image


def _is_oriented(image: Any) -> bool:
    header = image.header
    return bool(header["sform_code"] or header["qform_code"]) if "sform_code" in header else False


def _mat(path: Path) -> Array:
    import h5py
    from scipy.io import loadmat

    if h5py.is_hdf5(path):
        with h5py.File(path) as stored:
            return _of_hdf5(_only({name: value for name, value in stored.items() if not name.startswith("#")}))
    array: Any = _only({name: value for name, value in loadmat(path).items() if not name.startswith("__")})
    if hasattr(array, "toarray"):  # sparse
        return array.toarray()
    return _no_other_class(array, {"O": "a cell array", "U": "text", "V": "a struct"}.get(array.dtype.kind, ""))


def _of_hdf5(stored: Any) -> Array:
    """A variable of MATLAB 7.3, which stores columns first and complex numbers as pairs."""
    import h5py

    kind = stored.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if isinstance(stored, h5py.Group):
        if "MATLAB_sparse" in stored.attrs:
            return _of_sparse(stored, int(stored.attrs["MATLAB_sparse"]))
        return _no_other_class(stored, "a struct")
    _no_other_class(stored, {"cell": "a cell array", "char": "text", "struct": "a struct", "": ""}.get(kind, ""))
    if stored.attrs.get("MATLAB_empty", 0):
        raise ValueError("its array is empty")
    array = stored[()]
    if array.dtype.names == ("real", "imag"):
        array = array["real"] + 1j * array["imag"]
    return array.T


def _of_sparse(stored: Any, rows: int) -> Array:
    from scipy.sparse import csc_array

    pointers = stored["jc"][()]
    values = stored["data"][()]
    if values.dtype.names == ("real", "imag"):
        values = values["real"] + 1j * values["imag"]
    matrix: Any = csc_array((values, stored["ir"][()], pointers), shape=(rows, len(pointers) - 1))
    return matrix.toarray()


def _no_other_class(array: Any, kind: str) -> Any:
    if kind:
        raise ValueError(f"it holds {kind}, expected an array of numbers")
    return array


def _only(variables: Mapping[str, Any]) -> Any:
    if len(variables) != 1:
        raise ValueError(f"expected one variable, found {', '.join(variables) or 'none'}")
    return next(iter(variables.values()))


def _dicom(path: Path) -> Array:
    try:
        import pydicom
    except ImportError:
        raise ValueError("DICOM needs the package pydicom: pip install 'reconbench[dicom]'") from None
    image = pydicom.dcmread(path)
    kind = image.get("PhotometricInterpretation", "")
    if kind != "MONOCHROME2":
        raise ValueError(f"its photometric interpretation is {kind or 'not told'}, expected MONOCHROME2")
    if int(image.get("NumberOfFrames", 1)) > 1:
        raise ValueError("it holds several images, expected one")
    slope, intercept = float(image.get("RescaleSlope", 1)), float(image.get("RescaleIntercept", 0))
    array = image.pixel_array
    return array if (slope, intercept) == (1, 0) else array * slope + intercept


READERS: dict[str, Callable[[Path], Array]] = {
    ".png": _png,
    ".jpg": _jpeg,
    ".npy": _npy,
    ".npz": _npz,
    ".mat": _mat,
    ".nii": _nifti,
    ".nii.gz": _nifti,
    ".dcm": _dicom,
}
