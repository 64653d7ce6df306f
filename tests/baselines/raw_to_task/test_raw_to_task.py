"""The methods of findings learn a finding, see what they are meant to see, and share one analysis network."""

import pytest
import torch
from deepinv.physics import Denoising

from baselines.networks.analysis import Analysis, finding_loss
from baselines.raw_to_image.learned_primal_dual import LearnedPrimalDual
from baselines.raw_to_task.joint import Joint
from baselines.raw_to_task.oracle import Oracle
from baselines.raw_to_task.raw_only import RawOnly
from baselines.raw_to_task.two_stage import TwoStage, fingerprints
from bench.contract.construct import build
from bench.contract.method import Method
from bench.contract.registry import track


class Halving(Method):
    """A reconstruction that counts its calls."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(0.5))
        self.calls = 0

    def forward(self, y, physics):
        self.calls += len(y)
        return self.scale * y


def blobs():
    x = torch.zeros(2, 1, 16, 16)
    x[0, 0, 3:7, 4:8] = 1
    x[1, 0, 9:13, 2:6] = 1
    return x + 0.1 * torch.rand(x.shape), {"map": (x > 0.5).float()}


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


METHODS = {
    "oracle": Oracle,
    "two_stage": lambda: TwoStage(Halving()),
    "joint": lambda: Joint(LearnedPrimalDual(iterations=1)),
    "raw_only": RawOnly,
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns_to_find_what_is_there(name):
    torch.manual_seed(0)
    x, target = blobs()
    method, physics = METHODS[name](), Denoising()
    method.train()
    method.log = lambda *a, **k: None
    optimizer = torch.optim.Adam(method.parameter_groups(), lr=method.learning_rate)
    for step in range(120):
        optimizer.zero_grad()
        loss = method.training_step((x, x.clone(), physics, target), step)
        loss.backward()
        optimizer.step()
    method.eval()
    with torch.no_grad():
        finding = method(x, physics).finding
    assert float(finding[target["map"] > 0].mean()) > 0.5
    assert float(finding[target["map"] == 0].mean()) < 0.1


def test_the_analysis_network_is_the_same_for_all_that_read_an_image():
    sizes = {name: parameters(METHODS[name]().analysis) for name in ("oracle", "two_stage", "joint")}
    assert len(set(sizes.values())) == 1
    first = RawOnly().analysis.network.body[0].weight.numel() - Oracle().analysis.network.body[0].weight.numel()
    assert parameters(RawOnly().analysis) - sizes["oracle"] == first  # it reads several features


def test_the_analysis_does_not_depend_on_the_unit_of_the_image():
    network = Analysis(1, 2, 2).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    x = torch.rand(1, 1, 16, 16)
    assert torch.allclose(network(x), network(1e-3 * x), atol=1e-5)


def test_two_stage_moves_nothing_of_its_reconstruction_and_makes_an_image_once():
    x, target = blobs()
    method = TwoStage(Halving())
    method.train()
    assert not method.reconstruction.training
    for _ in range(3):
        loss = finding_loss(method(x, Denoising()).finding, target)
    loss.backward()
    assert method.reconstruction.calls == 2
    assert method.reconstruction.scale.grad is None
    method.eval()
    assert torch.equal(method(x, Denoising()).image, 0.5 * x)
    assert method.reconstruction.calls == 4  # a test measurement is not kept


def test_joint_moves_its_reconstruction_by_the_finding_and_by_the_image():
    x, target = blobs()
    moved = {}
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        method = Joint(LearnedPrimalDual(iterations=1), weight=weight)
        for parameter in method.analysis.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        loss = method.loss(method(x + 0.1, Denoising()), x, target)
        loss.backward()
        moved[weight] = torch.cat([parameter.grad.flatten() for parameter in method.reconstruction.parameters()])
        finding = sum(float(p.grad.abs().sum()) for p in method.analysis.parameters() if p.grad is not None)
        assert (finding > 0) == (weight == 0)
    assert moved[0.0].abs().sum() > 0
    assert moved[1.0].abs().sum() > 0
    assert not torch.allclose(moved[0.0], moved[1.0])
    assert Joint.prepares_inner({})
    assert not Joint.prepares_inner({"scratch": True})


@pytest.mark.parametrize(("scratch", "share"), [(False, 0.1), (True, 1.0)])
def test_joint_learns_all_its_weights_and_moves_a_trained_reconstruction_slowly(scratch, share):
    method = Joint(LearnedPrimalDual(iterations=1), scratch=scratch)
    optimizer = torch.optim.Adam(method.parameter_groups(), lr=method.learning_rate)
    rates = {parameter: group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    assert set(rates) == set(method.parameters())
    assert {rates[one] for one in method.analysis.parameters()} == {method.learning_rate}
    assert {rates[one] for one in method.reconstruction.parameters()} == {share * method.learning_rate}


def test_the_loss_of_a_finding_is_least_at_the_truth_and_finite_at_its_opposite():
    _, target = blobs()
    truth = target["map"]
    assert float(finding_loss(truth, target)) < 1e-3
    assert torch.isfinite(finding_loss(1 - truth, target))
    assert finding_loss(1 - truth, target) > finding_loss(torch.full_like(truth, 0.5), target)
    empty = {"map": torch.zeros_like(truth)}
    finding = torch.full_like(truth, 0.2).requires_grad_()
    finding_loss(finding, empty).backward()
    assert bool((finding.grad > 0).all())  # an image without the class is a lesson too


@pytest.mark.parametrize("name", ["two_stage", "joint", "raw_only", "oracle"])
@pytest.mark.parametrize("task", ["nodules", "tissue"])
def test_both_tasks_are_supported(name, task):
    from bench.contract.construct import unsupported
    from bench.contract.registry import load_method

    method = load_method(name)
    assert unsupported(method, track(task)) == ""
    assert unsupported(method, track("ct")) != ""
    assert build(method, track(task), {}).analysis.network is not None


def test_in_training_the_network_sees_symmetries_and_its_answer_is_turned_back():
    network = Analysis(1, 1, 2)
    seen = []

    class Pointwise(torch.nn.Module):
        def forward(self, z):
            seen.append(z)
            return 3 * z

    network.network = Pointwise()
    x = torch.rand(2, 1, 6, 6)
    network.eval()
    expected = network(x)
    network.train()
    torch.manual_seed(0)
    for _ in range(60):
        assert torch.equal(network(x), expected)
    assert len({one.numpy().tobytes() for one in seen}) == 8
    assert torch.equal(network(torch.rand(1, 1, 4, 6)).isnan(), torch.zeros(1, 1, 4, 6, dtype=torch.bool))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
def test_measurements_share_a_fingerprint_only_where_all_their_bits_are_equal(dtype):
    y = torch.randn(5, 1, 3, 7, generator=torch.Generator().manual_seed(0), dtype=dtype)
    found = fingerprints(y)
    assert len(set(found)) == 5
    assert fingerprints(y.flip(0)) == found[::-1]
    numbers = torch.view_as_real(y) if y.is_complex() else y
    numbers[2, 0, 1, 4] = torch.nextafter(numbers[2, 0, 1, 4], torch.tensor(9.0, dtype=numbers.dtype))
    assert [one == other for one, other in zip(fingerprints(y), found, strict=True)] == [True, True, False, True, True]
