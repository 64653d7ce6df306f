"""Training spends the track's budget on a stream that devices share, and keeps the best weights on validation."""

import math
import random
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import toy
from PIL import Image

from bench.contract import registry
from bench.contract.method import LearnedMethod
from bench.contract.task import FEWEST_LOOKS, Budget
from bench.data.measurements import Measured, collate_training, on_device
from bench.errors import BenchError
from bench.evaluation import partial
from bench.evaluation.curves import Look
from bench.evaluation.evaluate import mean_score
from bench.evaluation.train import Computing, TrainingData, pace
from bench.evaluation.train import train as fit
from bench.evaluation.trainer import compiled


@pytest.fixture
def network(tmp_path):
    torch.manual_seed(0)
    return registry.load_method(toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod"))


def train(method, track=toy.MINI, seed=0, **options):
    return fit(method, track, toy.open_track(track), seed=seed, **options)


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


def test_a_training_tells_its_stage(network):
    stages = []
    train(network(), report=stages.append)
    assert re.fullmatch(r"training 5/10, [\d.e+]+ steps/s, \d+ s left", stages[4])
    assert stages[-1].startswith("training 10/10, ")


def test_the_pace_is_that_of_the_last_steps():
    assert pace([7.0], 10) == ""
    assert pace([10.0, 10.5, 11.0], 9) == ", 2 steps/s, 4 s left"


@pytest.mark.parametrize(("steps", "looks"), [(1, 1), (10, 5), (350, 5), (4_000, 20), (10_000, 20), (20_000, 20)])
def test_long_trainings_look_twenty_times_at_validation_images_and_short_ones_five_times(steps, looks):
    interval = Budget(steps=steps).look_every
    assert len([step for step in range(1, steps + 1) if step % interval == 0 or step == steps]) == looks


def test_every_point_of_a_curve_is_given_when_it_is_there(network):
    points = []
    _, curves = train(network(), point=points.append)
    assert points == list(curves)
    assert [point.step for point in points if point.name == "val_psnr"] == [2, 4, 6, 8, 10]


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


class Killed(Exception):
    pass


class Drawing(LearnedMethod):
    """A network whose training draws from every global generator."""

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, y, physics):
        return y + self.network(y)

    def loss(self, x_hat, x):
        drawn = torch.rand(()) + np.random.random() + random.random()  # noqa: NPY002
        return drawn.float() * (x_hat - x).square().mean()


class Adversarial(LearnedMethod):
    """A toy GAN: two networks with an optimiser each, which takes its own steps; the training returns no loss."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.critic = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, 2), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 3))

    def configure_optimizers(self):
        networks = self.generator, self.critic
        optimisers = [torch.optim.Adam(network.parameters(), lr=1e-2) for network in networks]
        return optimisers, [torch.optim.lr_scheduler.StepLR(one, 3, 0.9) for one in optimisers]

    def forward(self, y, physics):
        return y + self.generator(y)

    def training_step(self, batch, index):
        x, y, physics = batch
        softplus = torch.nn.functional.softplus
        generate, criticise = self.optimizers()
        x_hat = self(y, physics)
        losses = {"critic_loss": softplus(self.critic(x_hat.detach())).mean() + softplus(-self.critic(x)).mean()}
        criticise.zero_grad()
        self.manual_backward(losses["critic_loss"])
        criticise.step()
        losses["generator_loss"] = softplus(-self.critic(x_hat)).mean() + 10 * (x_hat - x).square().mean()
        generate.zero_grad()
        self.manual_backward(losses["generator_loss"])
        generate.step()
        for scheduler in self.lr_schedulers():
            scheduler.step()
        self.log_dict(losses)


def seeded(method):
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    return method()


def killed_after(step, method, folder, **options):
    """Start a training that ends without warning after ``step`` steps."""

    def report(stage):
        if stage.startswith(f"training {step + 1}/"):
            raise Killed

    with pytest.raises(Killed):
        train(seeded(method), partial=folder, report=report, **options)


def training_of(method, **options):
    made = seeded(method)
    record, curves = train(made, **options)
    return made.state_dict(), record, [(point.name, point.step, point.value) for point in curves]


@pytest.mark.parametrize("step", [1, 5, 6])
@pytest.mark.parametrize("method", [Drawing, Adversarial, Average])
def test_an_interrupted_training_goes_on_to_the_same_weights_bit_for_bit(method, step, tmp_path, monkeypatch):
    monkeypatch.setattr(partial, "EVERY", -1.0)  # after every step
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    weights, record, curves = training_of(method, track=track)
    killed_after(step, method, tmp_path / "0a1b", track=track)
    killed_after(8, method, tmp_path / "0a1b", track=track)
    again, resumed, curves_again = training_of(method, track=track, partial=tmp_path / "0a1b")
    assert resumed.pop("resumed_at") == [step, 8]
    assert curves_again == curves
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert {**resumed, "seconds": 0} == {**record, "seconds": 0}
    assert resumed["seconds"] > 0


def test_a_training_is_written_down_at_every_look_and_when_time_has_passed(network, tmp_path, monkeypatch):
    killed_after(5, network, tmp_path / "0a1b")
    assert partial.Keeper(tmp_path / "0a1b", None, None).step() == 4  # the last look
    monkeypatch.setattr(partial, "EVERY", -1.0)
    killed_after(5, network, tmp_path / "1b2c")
    assert partial.Keeper(tmp_path / "1b2c", None, None).step() == 5
    assert sorted(path.name for path in (tmp_path / "0a1b").iterdir()) == ["last.ckpt", "validation"]


def test_a_look_at_the_first_validation_image_is_a_picture_and_moves_no_weight(tmp_path):
    given = []
    weights, _, curves = training_of(Drawing)
    again, _, curves_again = training_of(Drawing, partial=tmp_path / "0a1b", point=given.append)
    looks = [one for one in given if isinstance(one, Look)]
    assert [(look.name, look.step) for look in looks] == [("val-0", step) for step in (2, 4, 6, 8, 10)]
    assert all(look.path.parent.parent == tmp_path / "0a1b" / "validation" for look in looks)
    for look in looks:
        with Image.open(look.path) as picture:
            assert picture.width > 4 * 160
    assert curves_again == curves
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("error", [OSError("No space left on device"), ValueError("a picture of nothing")])
def test_a_look_that_cannot_be_drawn_costs_the_training_nothing(network, tmp_path, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("bench.evaluation.train.save_look", fail)
    record, _ = train(network(), partial=tmp_path / "0a1b")
    assert record["steps"] == 10


def test_a_training_that_had_ended_is_not_repeated(network, tmp_path):
    weights, _, _ = training_of(network, partial=tmp_path / "0a1b")
    stages = []
    again, record, _ = training_of(network, partial=tmp_path / "0a1b", report=stages.append)
    assert not stages
    assert record["resumed_at"] == [10]
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def damage(file, found):
    content = bytearray(file.read_bytes())
    if found == "altered":
        content[len(content) // 2] ^= 1
    file.write_bytes(content[: {"cut": 500, "empty": 0}.get(found, len(content))])


@pytest.mark.parametrize("found", ["altered", "cut", "empty", "foreign"])
def test_a_damaged_or_foreign_checkpoint_is_not_believed(network, tmp_path, found):
    weights, _, _ = training_of(network)
    killed_after(5, network, tmp_path / "0a1b")
    (tmp_path / "0a1b").rename(tmp_path / "5e6f" if found == "foreign" else tmp_path / "0a1b")
    folder = next(tmp_path.glob("*[a-f]"))
    damage(folder / "last.ckpt", found)
    reason = "it is of the run 0a1b" if found == "foreign" else "it is damaged"
    with pytest.warns(UserWarning, match=rf"of the run {folder.name} is not used: {reason}\. The training starts anew"):
        again, record, _ = training_of(network, partial=folder)
    assert "resumed_at" not in record
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_a_method_of_several_optimisers_learns_and_its_losses_become_curves():
    track = toy.track("mini", budget=Budget(images=3, steps=60, batch=4))
    torch.manual_seed(0)
    method = Adversarial()
    before = validation(method, track)
    critic = method.critic[0].weight.detach().clone()
    record, curves = train(method, track)
    assert record["val_psnr"] > before + 0.5
    assert not torch.equal(method.critic[0].weight, critic)
    steps = {name: [point.step for point in curves if point.name == name] for name in ("critic_loss", "generator_loss")}
    assert steps == {name: list(range(1, 61)) for name in steps}


def test_a_loss_of_several_that_is_not_finite_ends_the_training():
    class Diverging(Adversarial):
        def training_step(self, batch, index):
            self.log("critic_loss", torch.tensor(math.inf))

    with pytest.raises(BenchError, match="the critic_loss became inf at step 1"):
        train(Diverging())


def weights_of(method, **options):
    """The weights, as one vector, and the curves of a training from a seed."""
    weights, _, curves = training_of(method, **options)
    return torch.cat([value.flatten() for value in weights.values()]), curves


def test_a_batch_in_parts_has_the_gradient_of_the_whole(network):
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    whole, curves = weights_of(network, track=track)
    parts, curves_of_parts = weights_of(network, track=track, computing=Computing(accumulate=2))
    assert torch.allclose(parts, whole, rtol=0, atol=1e-5)
    assert not torch.equal(parts, seeded_weights(network))
    steps = [(name, step) for name, step, _ in curves]
    assert [(name, step) for name, step, _ in curves_of_parts] == steps


def seeded_weights(method):
    return torch.cat([value.flatten() for value in seeded(method).state_dict().values()])


def test_an_interrupted_training_in_parts_goes_on_to_the_same_weights_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(partial, "EVERY", -1.0)
    track = toy.track("mini", budget=Budget(images=3, steps=10, batch=4))
    options = {"track": track, "computing": Computing(accumulate=2)}
    weights, curves = weights_of(Drawing, **options)
    killed_after(3, Drawing, tmp_path / "0a1b", **options)
    again, record, curves_again = training_of(Drawing, partial=tmp_path / "0a1b", **options)
    assert record["resumed_at"] == [3]
    assert record["accumulate"] == 2
    assert curves_again == curves
    assert torch.equal(torch.cat([value.flatten() for value in again.values()]), weights)


def test_a_method_that_takes_its_own_steps_takes_whole_batches():
    with pytest.raises(BenchError, match="Adversarial takes its own steps, each on a whole batch"):
        train(Adversarial(), computing=Computing(accumulate=2))


def test_mixed_precision_keeps_single_precision_weights_and_learns_nearly_the_same(network):
    track = toy.track("mini", budget=Budget(images=3, steps=60, batch=4))
    plain, curves = weights_of(network, track=track)
    mixed, mixed_curves = weights_of(network, track=track, computing=Computing(precision="bf16-mixed"))
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, plain)
    assert mixed_curves[-1][2] == pytest.approx(curves[-1][2], abs=0.3)  # dB


def test_a_compiled_training_learns_the_same_and_leaves_a_plain_method(network, monkeypatch):
    plain, _ = weights_of(network)
    compilations = []
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, backend: compilations.append(f) or original(f, backend="aot_eager"))
    method = seeded(network)
    record, _ = train(method, computing=Computing(compile=True))
    assert len(compilations) == 1
    assert "forward" not in vars(method)
    assert record["compile"] is True
    found = torch.cat([value.flatten() for value in method.state_dict().values()])
    assert torch.allclose(found, plain, rtol=0, atol=1e-5)


def test_without_a_compiler_the_remedy_is_told(network, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BenchError, match=r"--compile needs a C\+\+ compiler, and no-such-compiler is not found"):
        train(network(), computing=Computing(compile=True))


def test_a_compiler_that_breaks_is_one_line(network):
    def broken(graph, inputs):
        raise RuntimeError("no such header\nand much more")

    method = seeded(network)
    with pytest.raises(BenchError, match=r"^torch.compile failed, so leave out --compile: .*no such header$"):
        with compiled(method, backend=broken):
            train(method)
    assert "forward" not in vars(method)


def test_a_checkpoint_is_chosen_on_as_many_images_as_the_budget_says(network):
    record, _ = train(network(), toy.track("mini", budget=Budget(images=1, steps=10, batch=2, validation=3)))
    assert record["val_images"] == 3


def test_training_images_that_are_simulated_are_learned_from(network):
    track = replace(toy.SIMULATED, budget=Budget(images=3, steps=60, batch=4))
    method = network()
    before = validation(method, track)
    train(method, track)
    assert validation(method, track) > before + 0.5
