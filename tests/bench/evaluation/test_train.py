"""Training spends the track's budget on a stream that devices share, and keeps the best weights on validation."""

import math

import pytest
import torch
import toy

from bench.contract import registry
from bench.contract.method import LearnedMethod
from bench.contract.task import Budget
from bench.data.measurements import Measured, collate
from bench.errors import BenchError
from bench.evaluation.evaluate import mean_score
from bench.evaluation.train import VALIDATIONS, TrainingData
from bench.evaluation.train import train as train_on


@pytest.fixture
def network(tmp_path):
    torch.manual_seed(0)
    return registry.load_method(toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod"))


def train(method, track=toy.MINI, seed=0, **options):
    return train_on(method, track, toy.open_track(track), seed=seed, **options)


def validation(method, track=toy.MINI):
    data = Measured(track, toy.open_track(track), "val", track.budget.images)
    return mean_score(method, track, data, range(len(data)), torch.device("cpu"))


def test_training_improves_the_score_and_tells_what_it_spent(network):
    track = toy.track("mini", budget=Budget(images=3, steps=60, batch=4))
    method = network()
    before = validation(method, track)
    record, curves = train(method, track)
    assert validation(method, track) > before + 0.5
    assert (record["steps"], record["batch"], record["val_images"]) == (60, 4, 3)
    assert record["val_psnr"] == validation(method, track)
    assert record["seconds"] > 0
    losses = [point.value for point in curves if point.name == "train_loss"]
    assert len(losses) == 60
    assert losses[-1] < losses[0]


def test_the_weights_of_the_best_validation_are_left_and_written(network, tmp_path):
    """Training that only spoils: the first validation is the best."""
    network.loss = lambda self, x_hat, x: -(x_hat - x).square().mean()
    method = network()
    record, curves = train(method, checkpoint=tmp_path / "weights.ckpt")
    scores = {point.step: point.value for point in curves if point.name == "val_psnr"}
    assert len(scores) == VALIDATIONS
    assert record["chosen_step"] == max(scores, key=scores.get) == 2
    assert validation(method) == max(scores.values()) == record["val_psnr"]
    written = torch.load(tmp_path / "weights.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(written[name], value) for name, value in method.state_dict().items())


def test_where_lower_is_better_the_lowest_validation_is_best(network):
    network.learning_rate = 0.05
    track = toy.track("mini", metrics=(toy.MINI.metrics[1],))
    record, curves = train(network(), track)
    assert record["val_mae"] == min(point.value for point in curves if point.name == "val_mae")


def test_one_seed_gives_the_same_weights_bit_for_bit(network):
    def weights(seed):
        torch.manual_seed(0)
        method = network()
        train(method, seed=seed)
        return torch.cat([parameter.detach().flatten() for parameter in method.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_the_batch_of_a_step_is_the_same_on_one_process_and_on_several(devices):
    track = toy.track("mini", budget=Budget(steps=3, batch=4))
    data = TrainingData(track, toy.open_track(track), 0, devices)
    whole = [collate([data.stream[index] for index in range(4 * step, 4 * step + 4)]) for step in range(3)]
    shares = [list(data.share(rank)) for rank in range(devices)]
    for step, (_, _, expected, _) in enumerate(whole):
        found = torch.cat([share[step][2] for share in shares])
        assert {row.numpy().tobytes() for row in found} == {row.numpy().tobytes() for row in expected}
        assert len(found) == 4
    assert all(len(share) == 3 for share in shares)


def test_a_batch_that_devices_cannot_share_is_told():
    with pytest.raises(BenchError, match="toy:mini trains on batches of 2, which 3 devices cannot share"):
        TrainingData(toy.MINI, toy.open_track(toy.MINI), 0, 3)


def test_a_loss_that_is_not_finite_ends_the_training_with_a_remedy(network):
    network.loss = lambda self, x_hat, x: (x_hat - x).square().mean() * math.nan
    with pytest.raises(BenchError, match=r"the training loss became nan at step 1\. Lower the `learning_rate`"):
        train(network())


def test_a_training_tells_its_stage(network):
    stages = []
    train(network(), report=stages.append)
    assert stages[-1] == "training 10/10"


class Average(LearnedMethod):
    """Learns the mean of the images, without gradients, and gives it back for every measurement."""

    gradient_clip = None

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.register_buffer("total", torch.zeros(1, 1, 1, 1))
        self.register_buffer("steps", torch.tensor(0))

    def configure_optimizers(self):
        return []

    def training_step(self, batch, index):
        x, _, _ = batch
        self.total += x.mean()
        self.steps += 1
        return (self.total / self.steps - x).square().mean()

    def forward(self, y, physics):
        return (self.total / self.steps).expand_as(y)


def test_a_method_may_learn_without_gradients(tmp_path):
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    method = Average()
    record, curves = train(method, track, checkpoint=tmp_path / "weights.ckpt")
    assert [point.step for point in curves if point.name == "train_loss"] == list(range(1, 11))
    scores = {point.step: point.value for point in curves if point.name == "val_psnr"}
    assert list(scores) == [2, 4, 6, 8, 10]
    assert record["chosen_step"] == int(method.steps) == max(scores, key=scores.get)
    stream = TrainingData(track, toy.open_track(track), 0, 1).stream
    seen = torch.stack([stream[index].x for index in range(4 * int(method.steps))])
    assert float(method.total / method.steps) == pytest.approx(float(seen.mean()), rel=1e-5)
    written = torch.load(tmp_path / "weights.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(written["total"], method.total)


def test_learning_without_gradients_takes_one_device():
    with pytest.raises(BenchError, match="Average learns without gradients, which devices cannot share: use one"):
        train(Average(), devices=2)
