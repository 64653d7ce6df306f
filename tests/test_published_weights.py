"""With the weights of their authors our networks reproduce their papers, on the sets of our tracks.

The figures of whole test sets were computed independently, by forward passes in NumPy. ADMM-Net's there, 37.178 and
37.194 dB, are of magnitudes; the track scores real parts. The figure of the first image alone is its share of a whole
run that met them.
"""

import pytest
import torch

from bench.contract import registry
from bench.contract.construct import build
from bench.data import manifest as data
from bench.data import weights
from bench.data.measurements import Measured, collate
from bench.errors import BenchError
from bench.runs import checkpoints

TOLERANCE = 0.02  # dB
# weights, method, track: the figure of all images, and of the first one in a run that met it
FIGURES = [
    ("ista_net_plus/ratio_20_net_params_200.pkl", "ista_net", "mri:brain-r20", 38.697, 34.944),
    ("ista_net_plus/ratio_30_net_params_200.pkl", "ista_net", "mri:brain-r30", 40.973, None),
    ("ista_net_plus/ratio_40_net_params_200.pkl", "ista_net", "mri:brain-r40", 42.653, None),
    ("admm_net/net-stage14.mat", "admm_net", "mri:brain-r20", 37.178, 32.851),
    ("admm_net/net-stage15.mat", "admm_net", "mri:brain-r20", 37.194, None),
    ("admm_csnet/net-stage10.mat", "generic_admm_net", "mri:brain-r20", 38.646, None),
    ("admm_csnet/net-stage11.mat", "generic_admm_net", "mri:brain-r20", 38.659, None),
    ("dncnn/sigma_25.mat", "dncnn", "denoising:bsd68-s25", 29.233, None),
]


def opened(name: str, method: str, track_name: str, limit: int | None = None):
    """The network with its weights, and the measured test images. Skips where a file is not here."""
    track = registry.track(track_name)
    try:
        for one in track.data:
            data.need(one)
        found = weights.find(name, method)
    except BenchError as error:
        pytest.skip(str(error))
    kind = registry.load_method(method)
    network = build(kind, track, checkpoints.published_settings(kind, found.sha256, {})).eval()
    checkpoints.restore(network, track, found.sha256)
    problem = registry.load_task(track.task).open(track)
    return network, Measured(track, problem, "test", limit)


def psnr(network, images, magnitude: bool = False) -> float:
    """The mean over images."""
    scores = []
    for image in images:
        _, x, y, params = collate([image])
        with torch.no_grad():
            x_hat = network(y, images.problem.physics(params, torch.device("cpu"))).double()
        scores.append(-10 * ((x_hat.abs() if magnitude else x_hat) - x).square().mean().log10())
    return float(torch.stack(scores).mean())


@pytest.mark.parametrize(
    ("name", "method", "track", "expected"),
    [(name, method, track, first) for name, method, track, _, first in FIGURES if first],
)
def test_the_first_image(name, method, track, expected):
    assert psnr(*opened(name, method, track, limit=1)) == pytest.approx(expected, abs=0.005)


def test_other_weights_would_be_seen():
    """Weights of another sampling ratio, in the same network, miss the figure by far more than the tolerance."""
    network, images = opened("ista_net_plus/ratio_40_net_params_200.pkl", "ista_net", "mri:brain-r20", limit=1)
    assert psnr(network, images) < 34.5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method", "track", "expected"), [figure[:4] for figure in FIGURES])
def test_the_whole_set(name, method, track, expected):
    network, images = opened(name, method, track)
    assert psnr(network, images) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(("stages", "expected"), [(14, 37.178), (15, 37.194)])
def test_admm_net_by_magnitudes(stages, expected):
    network, images = opened(f"admm_net/net-stage{stages}.mat", "admm_net", "mri:brain-r20")
    assert psnr(network, images, magnitude=True) == pytest.approx(expected, abs=0.001)
