"""JSR-Net: complete scans, its classical steps, the blocks of its authors, and that it learns image and scan."""

import math

import numpy as np
import pytest
import torch
from deepinv.physics import LinearPhysics

from baselines.networks.normalisation import rms
from baselines.raw_to_image.jsr_net import Dense, JSRNet, Split
from bench.contract.operators import completion, direct, operator_norm
from bench.contract.toy_operators import toys
from tasks.physics.ct import CT
from tasks.physics.mri import MRI, MultiCoilMRI, RealMRI, variable_density_mask
from tasks.physics.projector import Geometry

SPARSE = CT(Geometry.parallel(16, 6))
LIMITED = CT(Geometry.parallel(16, 8, arc=math.radians(120)))
MASK = variable_density_mask((8, 12), 3, 0.2, np.random.default_rng(0))[None].float()
COILS = torch.randn(1, 3, 8, 12, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
SCANS = {
    "sparse": (SPARSE, (1, 16, 16)),
    "limited": (LIMITED, (1, 16, 16)),
    "mri": (MRI(MASK), (2, 8, 12)),
    "real": (RealMRI(MASK), (1, 8, 12)),
    "coils": (MultiCoilMRI(MASK, COILS), (2, 8, 12)),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", SCANS)
def test_y_is_the_measured_part_of_the_complete_scan(name):
    physics, shape = SCANS[name]
    x, whole = torch.rand(2, *shape), completion(SCANS[name][0])
    y = physics.A(x)
    measured, scan = whole.embed(torch.ones_like(y)), whole.physics.A(x)
    assert set(measured.unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(measured * scan, whole.embed(y), atol=1e-5)
    assert float(((1 - measured) * scan).abs().max()) > 0.1


def test_views_lie_between_the_measured_ones_or_go_on_to_half_a_turn():
    sparse, limited = (completion(one).physics.geometry.angles for one in (SPARSE, LIMITED))
    assert np.allclose(sparse, np.arange(12) * math.pi / 12)
    assert np.allclose(limited, np.arange(12) * math.pi / 12)
    irregular = CT(Geometry(9, (0.1, 0.5, 1.3), 7))
    assert completion(irregular).physics is irregular


def test_untrained_it_iterates_the_gradient_steps_of_the_model():
    """Its networks are zero: f takes y where it is measured, and u moves along Pᵀ((1−m) f + m y − Pu)/‖P‖²."""
    x = torch.rand(1, 1, 16, 16)
    y, whole = SPARSE.A(x) + 0.1, completion(SPARSE)
    missing, norm = 1 - whole.embed(torch.ones_like(y)), operator_norm(whole.physics, y)
    u = direct(y, SPARSE)
    for _ in range(3):
        f = missing * whole.physics.A(u) + whole.embed(y)
        u = u + whole.physics.A_adjoint(f - whole.physics.A(u)) / norm**2
    method = JSRNet(iterations=3)
    with torch.no_grad():
        found, scan = method.image_and_scan(y, SPARSE)
        assert torch.allclose(found, u, atol=1e-5)
        assert torch.allclose(scan, f, atol=1e-4)
        method.alpha.fill_(0.2)
        method.beta.fill_(0.2)
        assert not torch.allclose(method(y, SPARSE), u, atol=1e-4)


def test_a_split_is_the_step_of_admm_with_a_network_for_its_shrinkage():
    split, v, b = Split(1), torch.randn(1, 1, 6, 6), torch.randn(1, 9, 6, 6)
    with torch.no_grad():
        d = split.T(split.W(v) + b)
        found, b_new = split(v, b)
        assert torch.allclose(b_new, b + split.W(v) - d)
        assert torch.allclose(found, split.W_transpose(d - b_new))


def test_the_blocks_of_the_authors():
    """Five layers of twelve features, each on all before it, three inputs, one output; nine features of W and T."""
    expected = sum((9 * (3 + 12 * i) + 1) * 12 + 12 for i in range(5)) + 9 * 63 + 1
    assert sum(p.numel() for p in Dense(3, 1).parameters()) == expected
    assert sum(p.numel() for p in Split(1).parameters()) == (9 * 9 + 9) + 2 * (9 * 81 + 9) + 9 + (81 + 1)
    one, seven = (sum(p.numel() for p in JSRNet(iterations=k).parameters()) for k in (1, 7))
    assert seven == 7 * one


def test_coils_pass_the_networks_of_the_scan_one_by_one():
    """In another order they give another order of the scan and the same image."""
    method, order = JSRNet(channels=2, measured_channels=2, iterations=2), [2, 0, 1]
    for network in (*method.networks_f, *method.networks_u):
        torch.nn.init.normal_(network.last.weight, std=0.1)
    physics, shape = SCANS["coils"]
    y = physics.A(torch.rand(2, *shape))
    with torch.no_grad():
        u, f = method.image_and_scan(y, physics)
        other_u, other_f = method.image_and_scan(y[:, :, order], MultiCoilMRI(MASK, COILS[:, order]))
    assert u.shape == (2, *shape)
    assert torch.allclose(other_u, u, atol=1e-5)
    assert torch.allclose(other_f, f[:, :, order], atol=1e-5)


def test_it_learns_the_image_and_the_scan():
    x = torch.nn.functional.interpolate(torch.rand(1, 1, 4, 4), scale_factor=4)
    y, method = SPARSE.A(x), JSRNet(iterations=2)
    method.log = lambda *_, **__: None
    optimizer = torch.optim.Adam(method.parameters(), lr=3e-3)

    def errors():
        with torch.no_grad():
            u, f = method.image_and_scan(y, SPARSE)
        return [float((a - b).square().mean()) for a, b in ((u, x), (f, completion(SPARSE).physics.A(x)))]

    before = errors()
    for _ in range(30):
        optimizer.zero_grad()
        method.training_step((x, y, SPARSE), 0).backward()
        optimizer.step()
    after = errors()
    assert after[0] < 0.5 * before[0]
    assert after[1] < 0.7 * before[1]


def test_equivariant_to_the_unit():
    method, y = JSRNet(iterations=2), SPARSE.A(torch.rand(1, 1, 16, 16))
    for network in (*method.networks_f, *method.networks_u):
        torch.nn.init.normal_(network.last.weight, std=0.05)
    with torch.no_grad():
        assert torch.allclose(method(1e-3 * y, SPARSE), 1e-3 * method(y, SPARSE), atol=1e-8)
        assert float(rms(method(y, SPARSE) - direct(y, SPARSE))) > 0.01


def test_where_y_is_an_image_itself_it_says_unsupported():
    reasons = {toy.track.name: JSRNet.supports(toy.track) for toy in toys()}
    assert reasons["rays"] is reasons["mri"] is reasons["multicoil"] is None
    assert "part of a scan" in reasons["denoising"]
    assert "qsm in 3D" in reasons["dipole"]


def test_an_operator_without_a_complete_scan_has_itself():
    class Half(LinearPhysics):
        def A(self, x, **kwargs):
            return x / 2

    physics, y = Half(), torch.rand(1, 1, 4, 4)
    assert completion(physics).physics is physics
    assert completion(physics).embed(y) is y
