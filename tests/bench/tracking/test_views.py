"""How the dashboard arranges pictures."""

import numpy as np
from PIL import Image

from bench.tracking import views


def test_four_panels_in_a_row_become_two_by_two():
    panels = [np.full((20, 30), value, np.uint8) for value in (10, 20, 30, 40)]
    square = np.asarray(views.folded(Image.fromarray(np.hstack(panels))))
    np.testing.assert_array_equal(square, np.vstack([np.hstack(panels[:2]), np.hstack(panels[2:])]))


def test_a_square_of_atoms_stays_as_it_is():
    atoms = Image.fromarray(np.arange(2500, dtype=np.uint8).reshape(50, 50))
    assert views.folded(atoms) is atoms
