"""The mixture against scikit-learn's, SciPy's densities, and the Wiener filter."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from baselines.patches.patch_mixture import FLOOR, PatchMixture

SIZE = 6


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def mixture(components=3, decay=0.0):
    """Random Gaussians in double precision, λ_i falling as e^(-decay i)."""
    found = PatchMixture(components, SIZE).double()
    vectors = torch.linalg.qr(torch.randn(components, SIZE, SIZE, dtype=torch.float64))[0]
    values = (0.5 + torch.rand(components, SIZE)) * torch.exp(-decay * torch.arange(SIZE))
    weights = torch.rand(components, dtype=torch.float64) + 0.5
    found.set_components(weights / weights.sum(), (vectors * values[:, None]) @ vectors.mT)
    return found


def draw(source, count):
    """Patches of a mixture, (size, count)."""
    which = torch.multinomial(source.weights, count, replacement=True)
    normal = torch.randn(count, SIZE, 1, dtype=torch.float64)
    return (source.vectors[which] @ (source.values[which].sqrt()[..., None] * normal))[..., 0].T


def densities(source, patches, variance):
    """log π_k N(y; 0, Σ_k + σ²I) by SciPy."""
    noise = variance * np.eye(SIZE)
    each = [multivariate_normal(cov=c.numpy() + noise).logpdf(patches.T.numpy()) for c in source.covariances]
    return torch.from_numpy(np.stack(each)) + source.weights.log()[:, None]


def test_exact_densities_are_those_of_scipy():
    source = mixture(decay=1.0)
    patches = draw(source, 2000)  # more than one chunk
    found = source.gaussians(0.01, flat=0)
    assert sum(found.ranks) == 3 * (SIZE - 1)
    assert torch.allclose(found.log_densities(patches), densities(source, patches, 0.01), rtol=1e-9)
    assert torch.equal(found.likeliest(patches), densities(source, patches, 0.01).argmax(0))


def test_a_flat_tail_costs_nothing_where_it_is_flat():
    source = mixture(decay=1.0)
    source.values[:, 2:] = source.values[:, 2:].mean(1, keepdim=True)
    patches = draw(source, 50)
    found = source.gaussians(0.01)
    assert found.ranks == [2, 2, 2]
    assert torch.allclose(found.log_densities(patches), densities(source, patches, 0.01), rtol=1e-9)


def test_a_tail_below_the_noise_hardly_moves_the_choice():
    source = mixture(decay=2.0)
    patches = draw(source, 500) + 0.1 * torch.randn(SIZE, 500, dtype=torch.float64)
    found = source.gaussians(0.01)
    assert max(found.ranks) < SIZE - 1
    exact = densities(source, patches, 0.01).argmax(0)
    assert (found.likeliest(patches) == exact).double().mean() > 0.95


@pytest.mark.filterwarnings("ignore:Best performing")  # one iteration is not to converge
def test_a_step_on_everything_is_that_of_scikit_learn():
    """Each patch comes with its negative, so that the means which scikit-learn fits are zero."""
    sklearn = pytest.importorskip("sklearn.mixture")
    half = draw(mixture(), 300)
    patches = torch.cat([half, -half], 1)
    source = mixture(decay=0.3)
    start = source.covariances + FLOOR * torch.eye(SIZE)
    theirs = sklearn.GaussianMixture(
        3,
        reg_covar=FLOOR,
        max_iter=1,
        weights_init=source.weights.numpy(),
        means_init=np.zeros((3, SIZE)),
        precisions_init=torch.linalg.inv(start).numpy(),
    )
    theirs.fit(patches.T.numpy())
    loss = source.update(patches, rate=1.0)
    members = source.gaussians(FLOOR, flat=0).log_densities(patches).softmax(0)
    assert np.abs(theirs.means_).max() < 1e-12
    assert float(loss) == pytest.approx(-theirs.lower_bound_, rel=1e-9)
    assert np.allclose(source.weights, theirs.weights_, rtol=1e-6)
    assert np.allclose(source.covariances + FLOOR * torch.eye(SIZE), theirs.covariances_, atol=1e-7)
    assert np.allclose(members.T, theirs.predict_proba(patches.T.numpy()), atol=1e-5)


def test_a_step_at_a_rate_blends_the_statistics():
    patches = draw(mixture(), 400)
    before, whole, part = mixture(), mixture(), mixture()
    whole.load_state_dict(before.state_dict())
    part.load_state_dict(before.state_dict())
    whole.update(patches, rate=1.0)
    part.update(patches, rate=0.25)
    assert torch.allclose(part.weights, 0.75 * before.weights + 0.25 * whole.weights)
    second = [source.weights[:, None, None] * source.covariances for source in (before, whole, part)]
    assert torch.allclose(second[2], 0.75 * second[0] + 0.25 * second[1], atol=1e-9)


def test_learning_finds_the_mixture_that_drew_the_patches():
    """In likelihood, of patches that it has not seen."""
    truth = mixture(components=4, decay=1.5)
    unseen = draw(truth, 20_000)

    def loss(source):
        return -float(source.gaussians(FLOOR, flat=0).log_densities(unseen).logsumexp(0).mean())

    learned = PatchMixture(12, SIZE).double()
    learned.seed(draw(truth, 2000))
    losses = [loss(learned)]
    for _ in range(3):
        for _ in range(40):
            learned.learn(draw(truth, 500))
        losses.append(loss(learned))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < loss(truth) + 0.1 < losses[0]


def test_fewer_patches_than_components_leave_densities():
    source = PatchMixture(20, SIZE)
    patches = torch.randn(SIZE, 5)
    source.seed(patches)
    assert bool(torch.isfinite(source.learn(patches)))
    assert bool(torch.isfinite(source.restore(patches, 0.1)).all())


def test_black_patches_leave_densities():
    source = PatchMixture(4, SIZE)
    patches = torch.zeros(SIZE, 50)
    source.seed(patches)
    assert bool(torch.isfinite(source.learn(patches)))
    assert torch.equal(source.restore(patches, 0.1), patches)


def test_one_component_restores_as_the_wiener_filter():
    source = mixture(components=1, decay=1.0)
    patches = draw(source, 30)
    covariance = source.covariances[0]
    expected = covariance @ torch.linalg.solve(covariance + 0.05 * torch.eye(SIZE), patches)
    assert torch.allclose(source.restore(patches, 0.05), expected, atol=1e-12)


def test_each_patch_is_restored_by_its_likeliest_component():
    source = mixture(components=5, decay=0.3)
    patches = draw(source, 100)
    variance = 1e-3  # below all differences of eigenvalues: no tails
    likeliest = densities(source, patches, variance).argmax(0)
    noisy = source.covariances + variance * torch.eye(SIZE)
    each = zip(likeliest, patches.T, strict=True)
    expected = [source.covariances[k] @ torch.linalg.solve(noisy[k], patch) for k, patch in each]
    assert len(likeliest.unique()) > 2
    assert torch.allclose(source.restore(patches, variance), torch.stack(expected, 1), atol=1e-9)


def test_a_dead_component_comes_back_beside_that_of_a_patch():
    source = mixture(components=4, decay=1.0)
    covariances = source.covariances
    source.set_components(torch.tensor([0.5, 0.3, 0.2 - 1e-6, 1e-6], dtype=torch.float64), covariances)
    patch = draw(source, 1)
    donor = int(source.gaussians(FLOOR).likeliest(patch))
    source.revive(patch)
    shared = [0.5, 0.3, 0.2][donor] / 2
    assert torch.allclose(source.weights[[donor, 3]], torch.tensor(shared, dtype=torch.float64), atol=1e-5)
    assert float(source.weights.sum()) == pytest.approx(1)
    assert torch.allclose(source.covariances[3], 0.5 * (covariances[donor] + patch @ patch.T))
    assert torch.allclose(source.covariances[:3], covariances[:3])


def test_the_dead_share_the_weight_of_the_living():
    """A dead component of large covariance is the likeliest of a large patch, and has no weight to share."""
    source = mixture(components=4, decay=1.0)
    covariances = source.covariances
    covariances[3] *= 100
    source.set_components(torch.tensor([0.5, 0.3, 0.2 - 1e-6, 1e-6], dtype=torch.float64), covariances)
    patch = 10 * draw(source, 1)
    assert int(source.gaussians(FLOOR).likeliest(patch)) == 3
    source.revive(patch)
    assert float(source.weights[3]) > 0.05
