"""Implants of the sizes that they are said to have, in every slice, and in the anatomy where they belong."""

import numpy as np
from scipy.ndimage import label

from tasks.phantoms.implants import AIR, KINDS, MATERIALS, implanted, materials
from tasks.phantoms.thorax import FIELD_OF_VIEW, MAXIMUM
from tasks.physics.xray import attenuation

SIZE = 192
SLICES = [implanted(5, index, SIZE) for index in range(8)]
PIXEL = FIELD_OF_VIEW / SIZE  # cm


def test_every_slice_holds_one_to_three_pieces_of_the_size_of_implants():
    for index, one in enumerate(SLICES):
        metal = one.titanium + one.iron
        assert metal.max() <= 1
        pieces, count = label(metal > 0, np.ones((3, 3)))
        assert count in {"screws": (1, 2), "rods": (2, 3), "cage": (1,), "wall": (2,)}[KINDS[index % 4]]
        areas = [float(metal[pieces == piece].sum()) * PIXEL**2 for piece in range(1, count + 1)]
        assert 0.05 < min(areas) <= max(areas) < 6  # cm²: from a wire of 3 mm to two screws that touch


def test_metal_lies_in_the_body_and_the_spine_s_at_the_back_of_its_middle():
    y, x = np.indices((SIZE, SIZE)) * 2 / SIZE - 1
    for index, one in enumerate(SLICES):
        metal = one.titanium + one.iron
        assert (one.image[metal > 0] > AIR).mean() > 0.95
        if KINDS[index % 4] in ("screws", "cage"):
            centre = [float((metal * axis).sum() / metal.sum()) for axis in (y, x)]
            assert 0.2 < centre[0] < 0.75
            assert abs(centre[1]) < 0.1


def test_materials_add_up_to_the_tissue_that_is_left_and_the_metal():
    one = SLICES[0]
    parts = materials(one)
    metal = one.titanium + one.iron
    dense = attenuation("titanium") * one.titanium + attenuation("iron") * one.iron
    np.testing.assert_allclose(sum(parts[name] for name in MATERIALS), (1 - metal) * one.image + dense)
    assert one.image.max() <= MAXIMUM < attenuation("titanium") < attenuation("iron")
    np.testing.assert_array_equal(parts["metal"], metal)


def test_a_slice_depends_on_seed_and_index_alone():
    again = materials(implanted(5, 3, SIZE))
    assert all(np.array_equal(again[name], part) for name, part in materials(SLICES[3]).items())
    assert not np.array_equal(implanted(6, 3, SIZE).image, SLICES[3].image)
