"""The scored part of an image: real part, magnitude, mask; and what is refused."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from tasks.metrics.image import nmse, psnr


def pair(*shape, channels=1, noise=0.1):
    """An image and its reference, float64 (1, C, ...)."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(1, channels, *shape))
    return torch.from_numpy(x + noise * rng.standard_normal(x.shape)), torch.from_numpy(x)


def test_views_of_a_complex_image():
    x_hat, x = pair(24, 30, channels=2)
    a, b = (np.ascontiguousarray(t[0].permute(1, 2, 0).numpy()).view(complex)[..., 0] for t in (x_hat, x))
    assert psnr(x_hat, x, {}, data_range=1.0, on="real") == pytest.approx(
        peak_signal_noise_ratio(b.real, a.real, data_range=1.0), abs=1e-10
    )
    assert psnr(x_hat, x, {}, data_range=1.0, on="magnitude") == pytest.approx(
        peak_signal_noise_ratio(abs(b), abs(a), data_range=1.0), abs=1e-10
    )
    assert nmse(x_hat, x, {}) == pytest.approx(np.linalg.norm(a - b) ** 2 / np.linalg.norm(b) ** 2)


@pytest.mark.parametrize(
    ("shapes", "params", "options", "message"),
    [
        (((1, 1, 8, 8), (1, 1, 8, 9)), {}, {}, "of one shape"),
        (((2, 1, 8, 8), (2, 1, 8, 8)), {}, {}, r"\(1, C, H, W\)"),
        (((1, 8, 8), (1, 8, 8)), {}, {}, r"\(1, C, H, W\)"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {}, {"on": "real"}, "C = 2"),
        (((1, 2, 8, 8), (1, 2, 8, 8)), {}, {"on": "phase"}, "'phase'"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {}, {"mask": True}, "params"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {"mask": torch.ones(1, 1, 7, 8)}, {"mask": True}, "broadcast"),
        (((1, 1, 8, 8), (1, 1, 8, 8)), {"mask": torch.zeros(1, 1, 8, 8)}, {"mask": True}, "empty"),
    ],
)
def test_wrong_input_is_one_line(shapes, params, options, message):
    x_hat, x = (torch.zeros(shape, dtype=torch.float64) for shape in shapes)
    with pytest.raises(ValueError, match=message) as caught:
        nmse(x_hat, x, params, **options)
    assert "\n" not in str(caught.value)
