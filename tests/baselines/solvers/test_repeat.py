"""Repeated steps: as many as are asked for, whether they are recorded on a GPU or not."""

from contextlib import nullcontext

import pytest
import torch

from baselines.solvers import repeat as module
from baselines.solvers.repeat import SHORT, UNRECORDED, repeat


class Card:
    """Plays the part of `torch.cuda`: what is captured is not done, and a replay does it."""

    def __init__(self):
        self.capturing, self.strict, self.done, self.replays = False, False, 0, 0
        self.captured = None

    def step(self):
        if self.capturing:
            self.captured = self.step
        else:
            self.done += 1

    def waiting_step(self):
        if self.strict:
            raise RuntimeError("called a synchronizing CUDA operation")
        self.done += 1

    # of torch.cuda
    def Stream(self, device):
        return self

    def current_stream(self, device):
        return self

    def wait_stream(self, other):
        pass

    def stream(self, stream):
        return nullcontext()

    def set_sync_debug_mode(self, mode):
        self.strict = mode == "error"

    def CUDAGraph(self):
        return self

    def capture_begin(self, capture_error_mode):
        self.capturing = True

    def capture_end(self):
        self.capturing = False

    def replay(self):
        self.replays += 1
        self.captured()


@pytest.fixture
def card(monkeypatch):
    card = Card()
    monkeypatch.setattr(module.torch, "cuda", card)
    return card


def test_a_recorded_step_is_done_as_often_as_asked_for(card):
    repeat(card.step, 50, torch.device("cuda"), recordable=True)
    assert (card.done, card.replays) == (50, 50 - UNRECORDED)


def test_a_step_that_waits_for_the_device_is_not_recorded_and_is_done_as_often(card):
    repeat(card.waiting_step, 50, torch.device("cuda"), recordable=True)
    assert (card.done, card.replays, card.strict) == (50, 0, False)


@pytest.mark.parametrize(
    ("times", "device", "recordable"), [(SHORT - 1, "cuda", True), (50, "cuda", False), (50, "cpu", True)]
)
def test_few_steps_watched_ones_and_those_of_a_cpu_are_not_recorded(card, times, device, recordable):
    repeat(card.step, times, torch.device(device), recordable)
    assert (card.done, card.replays) == (times, 0)
