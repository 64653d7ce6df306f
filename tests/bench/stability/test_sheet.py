"""The picture of a shift has a column for each point: x, the reconstruction, its error."""

import numpy as np
import torch
from PIL import Image

from bench.evaluation.pictures import CAPTION, ERROR_GAIN, GAP
from bench.stability.sheet import save
from bench.stability.shifts import Shown


def sheet(points, path):
    save({name: (shown, 1.0) for name, shown in points.items()}, path)
    with Image.open(path) as picture:
        return np.asarray(picture).astype(float)[CAPTION:]


def test_x_above_the_reconstruction_above_its_error(tmp_path):
    x = torch.rand(1, 1, 160, 170, generator=torch.Generator().manual_seed(0)).double()
    x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    found = sheet({"low": Shown(x, x), "high": Shown(x, x + 0.1)}, tmp_path / "sheet.png")
    assert found.shape == (3 * 160, 2 * 170 + GAP)
    first, second = found[:, :170], found[:, 170 + GAP :]
    grey = 255 * x[0, 0].numpy()
    assert np.abs(first[:160] - grey).max() < 1
    assert (first[160:320] == first[:160]).all()
    assert set(np.unique(first[320:])) == {127}
    assert np.abs(second[160:320] - (grey + 25.5).clip(0, 255)).max() <= 1
    assert np.abs(second[320:] - (127.5 + ERROR_GAIN * 25.5 / 2)).max() <= 1


def test_small_complex_and_damaged_images_and_volumes_have_pictures(tmp_path):
    volume = torch.rand(1, 1, 8, 10, 4)
    assert sheet({"one": Shown(volume, volume)}, tmp_path / "volume.png").shape == (3 * 160, 200)
    x = torch.rand(1, 2, 20, 20)
    assert sheet({"nan": Shown(x, torch.full_like(x, torch.nan))}, tmp_path / "nan.png").shape == (480, 160)
