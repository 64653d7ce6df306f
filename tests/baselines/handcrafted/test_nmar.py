"""Normalised interpolation: exact where the prior is, and better than linear interpolation on phantoms."""

import pytest
import torch
from scanned_disc import STARVED, disc, scan

from baselines.handcrafted.direct import Direct
from baselines.handcrafted.linear_interpolation import LinearInterpolation
from baselines.handcrafted.nmar import NMAR
from bench.contract import registry
from bench.contract.method import Estimate
from bench.contract.operators import direct
from bench.data.measurements import Measured, collate
from bench.evaluation.scores import scorer


@pytest.fixture(scope="module")
def ct():
    return scan()


class Known(NMAR):
    """With a prior that is right up to a factor."""

    def prior(self, image):
        return 0.7 * disc(28)


def test_with_the_right_prior_up_to_a_factor_the_rays_through_metal_come_back(ct):
    y = ct.A(0.2 * disc(28))
    trace = ct.A(disc(3, 5, 8)) > 0
    spoiled = torch.where(trace, STARVED, y)
    assert torch.allclose(Known().fill(spoiled, trace, ct), y, atol=1e-5)
    linear = LinearInterpolation().fill(spoiled, trace, ct)
    assert float((linear - y).abs().max()) > 0.1


def test_metal_in_a_uniform_disc_leaves_no_trace_but_at_its_edge(ct):
    """Its own prior, cut from the image, errs at the edge of the disc alone; linear interpolation errs inside too."""
    body, metal = 0.2 * disc(28), disc(3, 14, 14)
    y = torch.where(ct.A(metal) > 0, STARVED, ct.A(body))
    clean, inside = direct(ct.A(body), ct), (disc(25) > 0) & (disc(5, 14, 14) == 0)
    linear, normalised = (
        float((method(y, ct) - clean)[inside].square().mean().sqrt()) for method in (LinearInterpolation(), NMAR())
    )
    assert normalised < 0.02 * 0.2
    assert normalised < 0.5 * linear


def test_the_prior_holds_air_soft_tissue_and_bone():
    image = 0.2 * disc(28) + 0.02 * disc(10) + 0.3 * disc(4, 15, 0) - 0.14 * disc(5, -15, 0)
    prior = NMAR(air=0.6, bone=1.3).prior(image)
    assert torch.allclose(
        prior[disc(28) * (1 - disc(4, 15, 0)) * (1 - disc(5, -15, 0)) > 0].unique(), torch.tensor(0.2)
    )
    assert torch.allclose(prior[disc(4, 15, 0) > 0].unique(), torch.tensor(0.5))
    assert not prior[disc(5, -15, 0) > 0].any()


def test_on_phantoms_it_is_better_than_linear_interpolation_and_that_than_filtered_backprojection():
    """One phantom of each kind, of the validation split; with default hyperparameters."""
    track = registry.track("ct:mini-metal")
    problem = registry.load_task("ct").open(track)
    data, score = Measured(track, problem, "val", 4), scorer(track)
    found = {}
    for method in (Direct(), LinearInterpolation(), NMAR()):
        rows = []
        for index in range(4):
            (name,), x, y, params = collate([data[index]])
            x_hat = method(y, problem.physics(params, torch.device("cpu")))
            rows.append(score(name, Estimate(x_hat), x, params))
        found[type(method)] = {name: sum(row[name] for row in rows) / 4 for name in rows[0]}
    psnr, streaks = ([found[one][name] for one in (Direct, LinearInterpolation, NMAR)] for name in ("psnr", "streaks"))
    assert psnr[0] + 2 < psnr[1] < psnr[2] - 0.3
    assert streaks[0] > 1.5 * streaks[1] > 1.5 * 1.15 * streaks[2]
