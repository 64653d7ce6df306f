"""The picture of a shift has a column for each point: x, the reconstruction, its error."""

import numpy as np
import toy
from PIL import Image

from bench.evaluation.pictures import CAPTION, ERROR_GAIN, GAP
from bench.stability.sheet import caption, save, save_all
from bench.stability.shifts import Shown


def sheet(points, path):
    save(points, path)
    with Image.open(path) as picture:
        return np.asarray(picture).astype(float)[CAPTION:]


def test_x_above_the_reconstruction_above_its_error(tmp_path):
    x = np.random.default_rng(0).random((160, 170))
    x[0, :2] = 0, 1
    found = sheet({"low": Shown(x, x), "high": Shown(x, x + 0.1)}, tmp_path / "sheet.png")
    assert found.shape == (3 * 160, 2 * 170 + GAP)
    first, second = found[:, :170], found[:, 170 + GAP :]
    grey = 255 * x
    assert np.abs(first[:160] - grey).max() < 1
    assert (first[160:320] == first[:160]).all()
    assert set(np.unique(first[320:])) == {127}
    assert np.abs(second[160:320] - (grey + 25.5).clip(0, 255)).max() <= 1
    assert np.abs(second[320:] - (127.5 + ERROR_GAIN * 25.5 / 2)).max() <= 1


def test_small_flat_and_damaged_images_have_pictures(tmp_path):
    x = np.zeros((8, 10))
    assert sheet({"flat": Shown(x, x)}, tmp_path / "flat.png").shape == (3 * 160, 200)
    assert sheet({"nan": Shown(x, x + np.nan)}, tmp_path / "nan.png").shape == (3 * 160, 200)


def test_a_picture_that_fails_costs_no_other_and_earlier_ones_go(tmp_path):
    (tmp_path / "stress-renamed.png").write_bytes(b"")
    x, lines = np.zeros((8, 10)), []
    pictures = {"a/b": {"1": Shown(x, x)}, "bad": {"1": Shown(x, np.zeros((9, 9)))}, "c": {"1": Shown(x, x)}}
    save_all(pictures, tmp_path, "stress-{}.png", lines.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stress-a-b.png", "stress-c.png"]
    (line,) = lines
    assert line.startswith("no picture of bad: ValueError")


def test_a_caption_tells_the_score_of_an_image_that_has_one():
    assert caption(toy.MINI, "noise", "0.1", {"a": 20.5, "b": 30.0}) == f"0.1: 20.5 {toy.MINI.primary.unit}".rstrip()
    assert caption(toy.MINI, "structure", "5 %", {"a": 97.0}) == "5 %: 97 %"
