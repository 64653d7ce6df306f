"""The pretended card computes what the processor does, and refuses what a GPU refuses."""

import pytest
import torch

from tests.pretend_card.card import CardTensor, pretend_card


@pytest.fixture
def card():
    with pretend_card() as device:
        yield device


def test_it_computes_what_the_processor_does(card):
    x = torch.randn(3, 4, dtype=torch.complex64)
    on_card = x.to(card)
    assert isinstance(on_card, CardTensor)
    assert on_card.device == card
    for function in (
        lambda x: torch.fft.fft2(x).abs(),
        lambda x: x.conj() * x + 2,
        lambda x: torch.view_as_real(x.conj().resolve_conj()),
        lambda x: (x.real @ x.imag.T).tril(),
        lambda x: torch.cat([x, torch.zeros_like(x)]).roll(1),
        lambda x: x[:, torch.tensor([0, 2])],
        lambda x: x.real * x.new_tensor([1, 2, 3, 4]).real,
        lambda x: x.real + torch.tensor(2.0),
        lambda x: torch.arange(4, device=x.device) * x.imag,
    ):
        assert torch.equal(function(on_card).cpu(), function(x))
    assert float(on_card.abs().sum()) == float(x.abs().sum())
    assert on_card.real.tolist() == x.real.tolist()


def test_it_writes_through_views(card):
    x = torch.ones(3, 4, device=card)
    x[1].zero_()
    x.view(-1)[0] = 5
    assert x.cpu().tolist() == [[5, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]]


def test_a_network_learns_there_as_here(card):
    def trained(device):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU()).to(device)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
        network(torch.rand(1, 1, 8, 8).to(device)).square().mean().backward()
        optimizer.step()
        return [parameter.detach().cpu() for parameter in network.parameters()]

    for there, here in zip(trained(card), trained("cpu"), strict=True):
        assert torch.equal(there, here)


@pytest.mark.parametrize(
    "mix",
    [
        lambda card: torch.ones(2, device=card) + torch.ones(2),
        lambda card: torch.ones(2).mul_(torch.ones(2, device=card)),
        lambda card: torch.nn.Linear(2, 2)(torch.ones(1, 2, device=card)),
        lambda card: torch.ones(2)[torch.zeros(1, dtype=torch.long, device=card)],
        lambda card: torch.cat([torch.ones(2, device=card), torch.ones(2)]),
        lambda card: torch.ones(2, device=card).gather(0, torch.zeros(1, dtype=torch.long)),
        lambda card: torch.randn(2, device=card, generator=torch.Generator()),
        lambda card: torch.ones(2, device=card).numpy(),
    ],
)
def test_tensors_of_two_devices_do_not_mix(card, mix):
    with pytest.raises(RuntimeError, match=r"processor|not supported"):
        mix(card)


def test_a_generator_of_the_card_draws_there(card):
    x = torch.randn(2, device=card, generator=torch.Generator(card).manual_seed(1))
    assert torch.equal(x.cpu(), torch.randn(2, generator=torch.Generator().manual_seed(1)))
