"""The dipole against the field of a sphere, a full complex FFT, a dense solve and published figures."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.physics.qsm import Dipole

VOXEL = (1.0, 1.25, 0.8)


def test_field_of_a_sphere() -> None:
    """Of susceptibility χ: outside χ/3 (a/r)^3 (3 cos²θ - 1), inside 0 (with the Lorentz sphere's correction)."""
    size, radius, b0, fine = 48, 7.0, np.array([0.48, -0.6, 0.64]), 4
    axes = [(np.arange(size * fine) - size * fine / 2 + 0.5) / fine * side for side in VOXEL]
    inside = sum(np.meshgrid(*[axis**2 for axis in axes], indexing="ij", sparse=True)) < radius**2
    chi = inside.reshape(size, fine, size, fine, size, fine).mean((1, 3, 5))  # partial volume
    field = Dipole(VOXEL, tuple(b0)).A(torch.from_numpy(chi)[None, None])[0, 0].numpy()

    p = np.stack(np.meshgrid(*[axis.reshape(size, fine).mean(1) for axis in axes], indexing="ij"))
    r = np.sqrt((p**2).sum(0))
    expected = (radius / r) ** 3 * (3 * (np.tensordot(b0, p, 1) / r) ** 2 - 1) / 3
    shell, core = (r > radius + 2) & (r < 2 * radius), r < radius - 2
    # A sphere of voxels rings (Gibbs), and its periodic images add a little.
    assert np.linalg.norm((field - expected)[shell]) < 0.05 * np.linalg.norm(expected[shell])
    assert np.sqrt(np.mean(field[core] ** 2)) < 0.02


@pytest.mark.parametrize("shape", [(6, 8, 4), (5, 6, 7), (6, 4, 5)])
def test_is_the_real_part_of_the_full_transform(shape: tuple[int, int, int]) -> None:
    b0 = (0.48, -0.6, 0.64)
    k = np.meshgrid(*[np.fft.fftfreq(n, d) for n, d in zip(shape, VOXEL, strict=True)], indexing="ij")
    square = sum(component**2 for component in k)
    square[0, 0, 0] = 1
    kernel = 1 / 3 - sum(b * component for b, component in zip(b0, k, strict=True)) ** 2 / square
    kernel[0, 0, 0] = 0
    x = np.random.default_rng(0).standard_normal(shape)
    expected = np.fft.ifftn(kernel * np.fft.fftn(x)).real
    field = Dipole(VOXEL, b0).A(torch.from_numpy(x)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(field, expected, atol=1e-12)


def test_closed_form_tikhonov_is_the_dense_solution() -> None:
    shape, weight = (4, 3, 4), 0.07
    physics = Dipole(VOXEL, (0.0, 0.6, 0.8))
    units = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, 1, *shape)
    matrix = physics.A(units).flatten(1).T.numpy()
    differences = [((units.roll(-1, axis + 2) - units) / side).flatten(1).T.numpy() for axis, side in enumerate(VOXEL)]
    left = matrix.T @ matrix + weight * sum(d.T @ d for d in differences)
    y = np.random.default_rng(0).standard_normal(shape)
    expected = np.linalg.pinv(left) @ matrix.T @ y.ravel()
    x_hat = physics.closed_form_tikhonov(torch.from_numpy(y)[None, None], weight)
    np.testing.assert_allclose(x_hat.numpy().ravel(), expected, atol=1e-10)


def test_tkd_inverts_where_the_kernel_is_large() -> None:
    physics = Dipole()
    x = torch.randn(1, 1, 8, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x_hat = physics.direct(physics.A(x), threshold=0.25)
    kernel = physics.transfer(x)
    ratio = (physics.spectrum(x_hat) / physics.spectrum(x)).real[0, 0]
    torch.testing.assert_close(ratio, (kernel.abs() / 0.25).clamp(max=1.0))


def test_tkd_of_the_2016_challenge() -> None:
    """Demeaned NRMSE in the mask, in percent: 84.228 at threshold 0.20 and 99.329 at 0.15."""
    folder = Path(os.environ.get("BENCH_DATA", "")) / "qsm2016"
    if "BENCH_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("BENCH_DATA names no data root that holds qsm2016")
    nibabel = pytest.importorskip("nibabel")
    field, reference, mask = (nibabel.load(folder / f"{n}.nii.gz") for n in ("phs_tissue", "chi_cosmos", "msk"))
    inside = np.asarray(mask.dataobj) > 0
    x = np.asarray(reference.dataobj, dtype=np.float64)[inside]
    x -= x.mean()
    physics = Dipole(tuple(float(side) for side in field.header.get_zooms()), (0, 0, 1))
    y = torch.from_numpy(np.asarray(field.dataobj, dtype=np.float64))[None, None]
    for threshold, expected in ((0.20, 84.228), (0.15, 99.329)):
        x_hat = physics.direct(y, threshold=threshold)[0, 0].numpy()[inside]
        x_hat -= x_hat.mean()
        assert 100 * np.linalg.norm(x_hat - x) / np.linalg.norm(x) == pytest.approx(expected, abs=0.01)
