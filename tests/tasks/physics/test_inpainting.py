"""Harmonic interpolation against a sparse direct solve and scipy's scattered interpolation."""

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from scipy.interpolate import griddata
from skimage.data import camera
from skimage.transform import resize

from tasks.physics import inpainting
from tasks.physics.inpainting import Inpainting, beginning, harmonic, put, recordable, recording


@pytest.fixture(scope="module", name="image")
def _image() -> np.ndarray:
    return resize(camera(), (64, 70), anti_aliasing=True).astype(np.float64)


def random_mask(shape: tuple[int, ...], share: float) -> np.ndarray:
    return np.random.default_rng(0).random(shape) < share


def solve(y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Laplace's equation with a graph Laplacian and a direct solver."""
    rows, columns = y.shape
    path = [scipy.sparse.diags_array([np.ones(n - 1)], offsets=[1], shape=(n, n)) for n in (rows, columns)]
    graph = scipy.sparse.kron(path[0], scipy.sparse.eye_array(columns)) + scipy.sparse.kron(
        scipy.sparse.eye_array(rows), path[1]
    )
    laplacian = scipy.sparse.csgraph.laplacian(graph + graph.T).tocsr()
    free = np.flatnonzero(~known)
    x = np.where(known, y, 0).ravel()
    x[free] = scipy.sparse.linalg.spsolve(laplacian[free][:, free].tocsc(), -(laplacian @ x)[free])
    return x.reshape(y.shape)


@pytest.mark.parametrize("kind", ["half", "fifth", "box"])
def test_harmonic_solves_laplace_s_equation(image: np.ndarray, kind: str) -> None:
    known = random_mask(image.shape, 0.2 if kind == "fifth" else 0.5)
    if kind == "box":
        known = np.ones(image.shape, dtype=bool)
        known[10:40, 40:70] = False
    y = torch.from_numpy(np.where(known, image, 0))[None, None]
    x_hat = harmonic(y, torch.from_numpy(known)[None, None])[0, 0].numpy()
    np.testing.assert_array_equal(x_hat[known], image[known])
    np.testing.assert_allclose(x_hat, solve(image, known), atol=2e-3)


def test_direct_is_as_good_as_scattered_linear_interpolation(image: np.ndarray) -> None:
    known = random_mask(image.shape, 0.5)
    mask = torch.from_numpy(known)[None, None].double()
    physics = Inpainting(mask)
    x_hat = physics.direct(physics.A(torch.from_numpy(image)[None, None]))[0, 0].numpy()
    points, grid = np.argwhere(known), np.indices(image.shape).reshape(2, -1).T
    linear = griddata(points, image[known], grid, method="linear").reshape(image.shape)
    inside = np.isfinite(linear)
    error = [np.mean((estimate - image)[inside] ** 2) for estimate in (x_hat, linear)]
    assert error[0] < 1.1 * error[1]


def test_images_of_a_batch_do_not_meet(image: np.ndarray) -> None:
    masks = torch.from_numpy(np.stack([random_mask(image.shape, share) for share in (0.5, 0.05, 1.0, 0.0)]))[:, None]
    y = torch.where(masks, torch.from_numpy(image), 0)
    together = harmonic(y, masks)
    alone = torch.cat([harmonic(y[i : i + 1], masks[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)
    assert torch.equal(together[2, 0], torch.from_numpy(image))
    assert torch.isfinite(together).all()


@pytest.mark.parametrize("shape", [(1, 9), (7, 1), (3, 2)])
def test_thin_images(shape: tuple[int, int]) -> None:
    y = torch.linspace(0, 1, shape[0] * shape[1], dtype=torch.float64).reshape(1, 1, *shape)
    mask = torch.ones_like(y)
    mask.view(-1)[1:-1] = 0
    x_hat = Inpainting(mask).direct(mask * y)
    assert x_hat.shape == y.shape
    if 1 in shape:
        torch.testing.assert_close(x_hat, y, rtol=0, atol=1e-3)


class Card:
    """Plays the part of `torch.cuda`, whose graphs do the work again where a card replays its kernels."""

    Event = staticmethod(lambda: SimpleNamespace(record=lambda: None, synchronize=lambda: None))

    def __init__(self) -> None:
        self.strict = False

    def CUDAGraph(self) -> SimpleNamespace:
        return SimpleNamespace(pool=lambda: (0, 1))

    def graph_pool_handle(self) -> tuple[int, int]:
        return 0, 1

    def graph(self, *_: object, **__: object) -> nullcontext:
        assert not self.strict
        return nullcontext()

    def current_stream(self, device: torch.device | None = None) -> SimpleNamespace:
        return SimpleNamespace(wait_stream=lambda other: None)

    Stream = current_stream

    def stream(self, stream: SimpleNamespace) -> nullcontext:
        return nullcontext()

    def is_available(self) -> bool:
        return False

    def set_sync_debug_mode(self, mode: str) -> None:
        self.strict = mode == "error"


@pytest.fixture(name="card")
def _card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    card = Card()
    monkeypatch.setattr(inpainting.torch, "cuda", card)
    monkeypatch.setattr(inpainting, "recordable", lambda y: True)
    monkeypatch.setattr(inpainting, "LOOK_EVERY", 1)  # as on a processor, whose images are compared
    recording.cache_clear()
    yield card
    recording.cache_clear()


def test_an_image_is_the_same_with_and_without_a_recording(
    image: np.ndarray, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = [torch.from_numpy(random_mask(image.shape, share))[None, None] for share in (0.5, 0.3, 1.0)]
    y = torch.from_numpy(image)[None, None]
    recorded = recording(y.shape, y.dtype, y.device)
    assert recorded is not None
    assert not card.strict
    replays = []

    def begin() -> None:
        system, state = recorded.fresh(*beginning(recorded.y, recorded.known))
        put((*recorded.system, *recorded.state), (*system, *state))

    recorded.begin.replay = begin
    recorded.advance.replay = lambda: (replays.append(1), recorded.iterate(recorded.system, recorded.state))
    found = [harmonic(mask * y, mask) for mask in masks]  # the second one writes to the tensors of the first
    assert len(replays) > 4
    monkeypatch.setattr(inpainting, "recordable", lambda y: False)
    assert all(torch.equal(one, harmonic(mask * y, mask)) for one, mask in zip(found, masks, strict=True))


def test_where_nothing_can_be_recorded_a_warning_says_so(
    image: np.ndarray, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("called a synchronizing operation\nmore")

    mask, y = torch.from_numpy(random_mask(image.shape, 0.5))[None, None], torch.from_numpy(image)[None, None]
    monkeypatch.setattr(inpainting, "try_once", fail)
    with pytest.warns(UserWarning, match="slower on this GPU.*: called a synchronizing operation$"):
        found = harmonic(mask * y, mask)
    monkeypatch.setattr(inpainting, "recordable", lambda y: False)
    assert torch.equal(found, harmonic(mask * y, mask))


@pytest.mark.parametrize(("setting", "expected"), [("", True), ("on", True), ("off", False)])
def test_recordings_can_be_switched_off(setting: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_RECORDED", setting)
    on_a_gpu: Any = SimpleNamespace(is_cuda=True, requires_grad=False)
    assert recordable(on_a_gpu) is expected
