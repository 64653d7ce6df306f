"""CT against ASTRA's and scikit-image's projectors, and closed forms."""

import math

import numpy as np
import pytest
import torch
from skimage.data import shepp_logan_phantom
from skimage.transform import iradon, radon, resize

from bench.errors import BenchError
from tasks.physics.ct import CT
from tasks.physics.fbp import WINDOWS, angular_weights
from tasks.physics.projector import Geometry, joseph, system_matrix

SIZE = 95  # odd, so that scikit-image's centre of rotation is the image's centre


@pytest.fixture(scope="module", name="phantom")
def _phantom() -> np.ndarray:
    return resize(shepp_logan_phantom(), (SIZE, SIZE), anti_aliasing=True).astype(np.float64)


def psnr(x_hat: np.ndarray, x: np.ndarray) -> float:
    return float(10 * np.log10(x.max() ** 2 / np.mean((x_hat - x) ** 2)))


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry.parallel(16, 8),
        Geometry.parallel(16, 7, arc=2 * math.pi / 3, pixel=0.5, spacing=0.7, bins=30),
        Geometry(15, tuple(np.linspace(-1, 5, 9)), 10, 1.3, 1.1),
    ],
    ids=["full", "limited", "truncated"],
)
def test_weights_are_those_of_astra(geometry: Geometry) -> None:
    astra = pytest.importorskip("astra")
    half = geometry.size * geometry.pixel / 2
    volume = astra.create_vol_geom(geometry.size, geometry.size, -half, half, -half, half)
    detector = astra.create_proj_geom("parallel", geometry.spacing, geometry.bins, np.array(geometry.angles))
    projector = astra.create_projector("linear", detector, volume)
    reference = astra.matrix.get(astra.projector.matrix(projector)).toarray()
    np.testing.assert_allclose(joseph(geometry).toarray(), reference, atol=2e-5)


def test_mass_and_length_are_kept() -> None:
    geometry = Geometry.parallel(32, 12, pixel=0.2, spacing=0.15)
    y = CT(geometry).A(torch.ones(1, 1, 32, 32, dtype=torch.float64))
    area = (32 * 0.2) ** 2
    np.testing.assert_allclose(y.sum(-1)[0, 0].numpy() * geometry.spacing, area, rtol=5e-3)
    assert float(y[0, 0, 0].max()) == pytest.approx(32 * 0.2)


@pytest.mark.parametrize(("name", "window"), [("ramp", "ram-lak"), ("hann", "hann"), ("cosine", "cosine")])
@pytest.mark.parametrize("views", [24, 90])
def test_fbp_is_as_good_as_scikit_image_s_on_its_sinogram(
    phantom: np.ndarray, views: int, name: str, window: str
) -> None:
    geometry = Geometry.parallel(SIZE, views, bins=SIZE)
    sinogram = radon(phantom, np.rad2deg(geometry.angles), circle=True)
    reference = iradon(sinogram, np.rad2deg(geometry.angles), filter_name=name, circle=False, output_size=SIZE)
    x_hat = CT(geometry).direct(torch.from_numpy(sinogram.T.copy())[None, None], window=window)[0, 0].numpy()
    assert psnr(x_hat, phantom) == pytest.approx(psnr(reference, phantom), abs=0.3)
    assert psnr(x_hat, reference) > 40


def test_every_window_keeps_the_mean_of_a_disc() -> None:
    size = 64
    axis = np.arange(size) - (size - 1) / 2
    disc = (np.hypot(axis[:, None], axis[None, :]) < 20) * 0.2
    ct = CT(Geometry.parallel(size, 60, pixel=0.1, spacing=0.08))
    y = ct.A(torch.from_numpy(disc)[None, None])
    for window in WINDOWS:
        for x_hat in (ct.direct(y, window=window, cutoff=0.8), ct.A_adjoint(ct.filter(y, window, 0.8))):
            assert float(x_hat[0, 0, 24:40, 24:40].mean()) == pytest.approx(0.2, rel=5e-3), window


def test_angular_weights() -> None:
    np.testing.assert_allclose(angular_weights(Geometry.parallel(8, 10).angles), math.pi / 10)
    np.testing.assert_allclose(angular_weights(Geometry.parallel(8, 10, arc=2 * math.pi).angles), math.pi / 10)
    limited = Geometry.parallel(8, 10, arc=2 * math.pi / 3).angles
    np.testing.assert_allclose(angular_weights(limited), 2 * math.pi / 30)
    uneven = angular_weights((0.0, 0.1, 0.2, 0.5, 0.8, 1.1, 1.4, 1.7, 2.0, 2.3, 2.6, 2.9))
    assert uneven.sum() == pytest.approx(math.pi)
    np.testing.assert_allclose(angular_weights((0.0, math.pi / 2, math.pi)), [math.pi / 4, math.pi / 2, math.pi / 4])


def test_wrong_arguments_are_named() -> None:
    ct = CT(Geometry.parallel(8, 5))
    y = ct.A(torch.zeros(1, 1, 8, 8))
    with pytest.raises(BenchError, match=r"no window is called 'han'\. Did you mean hann"):
        ct.direct(y, window="han")
    with pytest.raises(ValueError, match=r"\(0, 1\], got 0"):
        ct.direct(y, cutoff=0)
    with pytest.raises(ValueError, match=r"expected an image \(B, C, 8, 8\), got \(1, 1, 9, 8\)"):
        ct.A(torch.zeros(1, 1, 9, 8))
    with pytest.raises(ValueError, match=r"expected line integrals"):
        ct.A_adjoint(y.mT)


def test_matrix_is_shared_and_comes_back_from_the_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    geometry = Geometry.parallel(11, 6, pixel=0.37)
    made = system_matrix(geometry)
    assert CT(geometry).matrix is made
    assert len(list((tmp_path / "cache").glob("ct-*.npz"))) == 1
    system_matrix.cache_clear()
    read = system_matrix(geometry)
    assert read is not made
    assert (read.matrix != made.matrix).nnz == 0
    assert read.norm == made.norm


def test_what_fbp_keeps_serves_gradients_after_a_first_use_without_them():
    physics = CT(Geometry.parallel(17, 5))
    y = torch.rand(1, 1, 5, physics.geometry.bins)
    with torch.inference_mode():
        expected = physics.direct(y, "hann", 0.7).clone()
    variable = y.clone().requires_grad_()
    x_hat = physics.direct(variable, "hann", 0.7)
    x_hat.square().sum().backward()
    assert torch.equal(x_hat.detach(), expected)
    assert variable.grad is not None
