"""The map of a finding is the derivative that a closed form gives, for networks and for anything else."""

import numpy as np
import pytest
import torch
import toy
from PIL import Image

from bench import Method
from bench.contract.method import Estimate
from bench.errors import BenchError
from bench.observation.sensitivity_map import CELLS, CONTRAST, cells, direction, save, sensitivity_maps

CPU = torch.device("cpu")
LEFT = toy.left(torch.zeros(toy.SIZE, toy.SIZE), None)


class Focused(Method):
    """It finds what is in the left quarter of the image."""

    returns = ("finding",)

    def forward(self, y, physics):
        return Estimate(finding=(0.4 + 0.1 * y * LEFT).clamp(0, 1))


class Spread(Focused):
    def forward(self, y, physics):
        return Estimate(finding=(0.4 + 0.1 * y.mean((1, 2, 3), keepdim=True).expand_as(y)).clamp(0, 1))


class Stepped(Focused):
    """Its finding has no derivative, and its numbers are drawn anew for every image."""

    def forward(self, y, physics):
        noise = torch.rand(1)
        return Estimate(finding=((100 * y * LEFT).round() / 1000 + 0.3 + 0.01 * noise).clamp(0, 1))


class Constant(Focused):
    def forward(self, y, physics):
        return Estimate(finding=torch.full_like(y, 0.5))


def maps(method, track=toy.FINDING):
    return list(sensitivity_maps(method, track, toy.open_track(track), 0, CPU))


def test_a_finding_of_one_region_depends_on_that_region_alone_by_its_derivative():
    for one in maps(Focused()):
        assert one.inside == pytest.approx(1.0)
        assert one.area == 0.25
        size = float(one.x.max() - one.x.min())
        expected = torch.zeros(toy.SIZE, toy.SIZE, dtype=torch.float64)
        for cell in cells(toy.SIZE, toy.SIZE):  # ‖0.1 · range · 1_r‖₁ over the pixels of the region
            expected += cell * 0.1 * size * float(cell[LEFT].sum())
        assert torch.allclose(one.values, expected, rtol=1e-3, atol=1e-4 / CONTRAST)


def test_a_finding_that_depends_on_all_alike_has_the_share_of_the_area():
    for one in maps(Spread()):
        assert one.inside == pytest.approx(one.area, abs=0.13)  # cells of 16 / 12 pixels are of one or two pixels
    sizes = cells(toy.SIZE, toy.SIZE).sum((1, 2))
    values = maps(Spread())[0].values
    assert float((values / sum(c * s for c, s in zip(cells(toy.SIZE, toy.SIZE), sizes, strict=True))).std()) < 1e-2


def test_no_derivative_is_needed_and_random_numbers_are_the_same_for_all_cells():
    assert all(one.inside == pytest.approx(1.0) for one in maps(Stepped()))
    assert all(one.inside == 0.0 for one in maps(Constant()))


def test_the_truth_is_changed_for_a_method_that_sees_it():
    class Seeing(Focused):
        sees_truth = True

    assert torch.allclose(maps(Seeing())[0].values, maps(Focused())[0].values, rtol=1e-3, atol=1e-3)


def test_cells_cover_an_image_once():
    for sides in ((96, 96), (16, 30)):
        parts = cells(*sides)
        assert parts.shape == (CELLS**2, *sides)
        assert torch.equal(parts.sum(0), torch.ones(sides, dtype=torch.float64))


def test_a_complex_object_changes_along_its_phase():
    x = torch.rand(1, 2, 6, 6, generator=torch.Generator().manual_seed(0)).double() - 0.5
    x[..., 0, 0] = 0
    step = direction(x)
    size = x.square().sum(1).sqrt()
    longer = (x + 1e-3 * step).square().sum(1).sqrt()
    assert torch.allclose(longer - size, torch.full_like(size, 1e-3 * float(size.max() - size.min())))


def test_what_has_no_map_is_one_line():
    with pytest.raises(BenchError, match="toy:mini declares no region"):
        maps(Focused(), toy.MINI)

    class Bare(Method):
        def forward(self, y, physics):
            return y

    with pytest.raises(BenchError, match="Bare returns no finding"):
        maps(Bare())


def test_the_picture_has_a_row_for_each_image(tmp_path):
    found = maps(Focused())
    save(found, tmp_path / "map.png")
    sheet = np.asarray(Image.open(tmp_path / "map.png"))
    height, width = sheet.shape
    assert height / width == pytest.approx(len(found) / 3)
    right = sheet[:, 2 * width // 3 :]
    assert right[:, : right.shape[1] // 4].min() > 0
    assert right[:, right.shape[1] // 3 + 4 :].max() == 0
