"""Pictures show x, direct, x_hat and the error side by side, on the grey scale of x."""

import numpy as np
import pytest
import torch
from PIL import Image

from bench.evaluation.pictures import (
    CAPTION,
    ERROR_GAIN,
    GAP,
    SMALLEST,
    TILE,
    Picture,
    plane,
    save,
    save_atoms,
    save_look,
)


def panels(path, x, direct, x_hat):
    save(Picture("a", x, direct, x_hat, {"psnr": 20.0}), path)
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet)[CAPTION:]
    width = (pixels.shape[1] - 3 * GAP) // 4
    return [pixels[:, i * (width + GAP) : i * (width + GAP) + width] for i in range(4)]


def test_the_grey_scale_is_that_of_x_and_the_error_is_around_mid_grey(tmp_path):
    x = torch.linspace(-2, 6, 200 * 200).reshape(1, 1, 200, 200)
    shown = panels(tmp_path / "a.png", x, torch.full_like(x, 2.0), x + 0.08)
    assert [panel.shape for panel in shown] == [(200, 200)] * 4
    assert (shown[0].min(), shown[0].max()) == (0, 255)
    assert set(np.unique(shown[1])) == {127}
    # 0.08 is a hundredth of the range
    assert set(np.unique(shown[3])) == {int(127.5 + ERROR_GAIN * 2.55 / 2)}


@pytest.mark.parametrize("size", [(16, 16), (48, 30)])
def test_small_images_are_enlarged_by_a_whole_factor(tmp_path, size):
    x = torch.rand(1, 1, *size)
    first = panels(tmp_path / "a.png", x, x, x)[0]
    zoom = first.shape[0] // size[0]
    assert first.shape == (zoom * size[0], zoom * size[1])
    assert SMALLEST <= min(first.shape) < SMALLEST + min(size)
    assert np.array_equal(first[::zoom, ::zoom], first[zoom - 1 :: zoom, zoom - 1 :: zoom])


def test_a_complex_image_is_shown_by_its_magnitude_and_a_volume_by_its_middle():
    x = torch.stack([torch.full((4, 4), 3.0), torch.full((4, 4), -4.0)])[None]
    assert np.array_equal(plane(x), np.full((4, 4), 5.0))
    volume = torch.arange(4.0).expand(1, 1, 6, 5, 4)
    assert np.array_equal(plane(volume), np.full((6, 5), 2.0))


def test_a_deviation_and_the_size_of_the_error_have_one_scale(tmp_path):
    x = torch.rand(1, 2, 160, 160)
    error = torch.full_like(x, 0.0)
    error[:, 0], error[:, 1] = -0.03, 0.04  # of a complex image: 0.05
    save(Picture("a", x, x, x + error, {}, std=torch.full_like(x, 0.05 / 2**0.5)), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as sheet:
        pixels = np.asarray(sheet)[CAPTION:].astype(int)
    assert pixels.shape[1] == 6 * (160 + GAP) - GAP
    std, size = (pixels[:, i * (160 + GAP) : i * (160 + GAP) + 160] for i in (4, 5))
    magnitude = plane(x)
    expected = ERROR_GAIN * 0.05 * 255 / (magnitude.max() - magnitude.min())
    assert abs(std - expected).max() <= 1
    assert abs(size - expected).max() <= 1


def test_a_constant_image_is_drawn_too(tmp_path):
    x = torch.ones(1, 1, 8, 8)
    assert len(panels(tmp_path / "a.png", x, x, 0 * x)) == 4


def test_atoms_are_tiles_each_on_its_own_grey_scale(tmp_path):
    atoms = torch.stack([torch.tensor([[0.0, 1.0], [2.0, 3.0]]) * 10**k for k in range(5)])
    save_atoms(atoms, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (2 * (TILE + 1) + 1, 3 * (TILE + 1) + 1)
    for index in range(5):
        row, column = divmod(index, 3)
        tile = pixels[row * (TILE + 1) + 1 :, column * (TILE + 1) + 1 :][:TILE, :TILE]
        assert np.array_equal(tile[:: TILE // 2, :: TILE // 2], [[0, 85], [170, 255]])
    assert (pixels[TILE + 2 :, 2 * (TILE + 1) + 1 :] == 255).all()


def test_a_look_is_named_by_image_and_step_and_its_panels_are_small(tmp_path):
    x = torch.rand(1, 1, 700, 900)
    look = save_look(Picture("a/b", x, x, x, {"psnr": 20.0}), tmp_path, 40)
    assert (look.path, look.name, look.step) == (tmp_path / "a-b" / "40.png", "a-b", 40)
    with Image.open(look.path) as sheet:
        assert sheet.size == (4 * 300 + 3 * GAP, 234 + CAPTION)
