"""Training spends the track's budget on a stream that devices share, and keeps the best weights on validation."""

import math
from dataclasses import replace

import pytest
import torch
import toy
from toy_trainings import train, validation

from bench.contract.task import FEWEST_LOOKS, Budget
from bench.data.measurements import collate_training, on_device
from bench.errors import BenchError
from bench.evaluation.train import TrainingData


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
    assert len(scores) == FEWEST_LOOKS
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


@pytest.mark.parametrize("track", [toy.MINI, toy.SIMULATED], ids=["measured", "simulated"])
@pytest.mark.parametrize(("devices", "parts"), [(1, 1), (2, 1), (4, 1), (1, 2), (2, 2)])
def test_the_batch_of_a_step_is_the_same_on_one_process_and_on_several_and_in_parts(track, devices, parts):
    track = replace(track, budget=Budget(steps=3, batch=4))
    data = TrainingData(track, toy.open_track(track), 0, devices, parts=parts)

    def measured(batch):
        return on_device(data.problem, batch, torch.device("cpu"))[1]

    whole = [measured(collate_training([data.stream[4 * step + i] for i in range(4)])) for step in range(3)]
    shares = [[measured(batch) for batch in data.share(rank)] for rank in range(devices)]
    for step, expected in enumerate(whole):
        found = torch.cat([y for share in shares for y in share[parts * step : parts * (step + 1)]])
        assert {row.numpy().tobytes() for row in found} == {row.numpy().tobytes() for row in expected}
        assert len(found) == 4
    assert all(len(share) == 3 * parts for share in shares)


def test_a_batch_that_devices_cannot_share_is_told():
    with pytest.raises(BenchError, match="toy:mini trains on batches of 2, which 3 devices cannot share"):
        TrainingData(toy.MINI, toy.open_track(toy.MINI), 0, 3)
    with pytest.raises(BenchError, match="batches of 2, which 4 parts cannot share"):
        TrainingData(toy.MINI, toy.open_track(toy.MINI), 0, 1, parts=4)


def test_a_loss_that_is_not_finite_ends_the_training_with_a_remedy(network):
    network.loss = lambda self, x_hat, x: (x_hat - x).square().mean() * math.nan
    with pytest.raises(BenchError, match=r"the training loss became nan at step 1\. Lower the `learning_rate`"):
        train(network())


def test_a_checkpoint_is_chosen_on_as_many_images_as_the_budget_says(network):
    record, _ = train(network(), toy.track("mini", budget=Budget(images=1, steps=10, batch=2, validation=3)))
    assert record["val_images"] == 3


def test_training_images_that_are_simulated_are_learned_from(network):
    track = replace(toy.SIMULATED, budget=Budget(images=3, steps=60, batch=4))
    method = network()
    before = validation(method, track)
    train(method, track)
    assert validation(method, track) > before + 0.5
