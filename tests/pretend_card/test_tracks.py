"""Training images of every track are measured on a card, and its operators work there."""

from dataclasses import replace

import pytest
import torch

from bench.contract import registry
from bench.contract.operators import direct, operator_norm
from bench.data.measurements import TrainingStream, collate_training, on_device
from tests.pretend_card.card import PROCESSOR, pretend_card

EMBEDDED = [(track.id, {}) for track in registry.all_tracks() if track.name.startswith(("mini", "ellipses"))]
LEARN_FROM_PHANTOMS = [("ct:aapm12-60", {"size": 64}), ("qsm:qsm2016", {"size": 16})]


@pytest.mark.parametrize(("name", "smaller"), EMBEDDED + LEARN_FROM_PHANTOMS, ids=str)
def test_a_training_image_and_its_operator_are_of_the_card(name, smaller, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    track = registry.track(name)
    track = replace(track, options={**track.options, **smaller})
    problem = registry.load_task(track.task).open(track)
    stream = TrainingStream(track, problem, 0, 2)
    batch = collate_training([stream[0], stream[1]])
    x, y, params, *_ = on_device(problem, batch, PROCESSOR)
    physics = problem.physics(params, PROCESSOR)
    with pretend_card() as card:
        x_there, y_there, params_there, *_ = on_device(problem, batch, card)
        assert torch.allclose(y_there.cpu(), y, atol=1e-5)
        there = problem.physics(params_there, card)
        assert torch.allclose(there.A(x_there).cpu(), physics.A(x), rtol=1e-4, atol=1e-4)
        assert torch.allclose(there.A_adjoint(y_there).cpu(), physics.A_adjoint(y), rtol=1e-4, atol=1e-4)
        assert torch.allclose(direct(y_there, there).cpu(), direct(y, physics), rtol=1e-4, atol=1e-4)
        assert operator_norm(there, y_there) == pytest.approx(operator_norm(physics, y), rel=1e-3)
