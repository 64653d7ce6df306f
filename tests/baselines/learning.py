"""What every trained method must do: learn, and not depend on the unit of the image."""

import torch
from deepinv.physics import BlurFFT
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader


def box_blur(side):
    return BlurFFT((1, 16, 16), torch.ones(1, 1, side, side) / side**2)


def assert_equivariant_to_the_unit(method):
    physics, y = box_blur(3), torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.allclose(method(1e-3 * y, physics), 1e-3 * method(y, physics), atol=1e-8)


def assert_learns_one_image(method, rate, share):
    """Sixty steps of Adam leave less than a ``share`` of the first loss."""
    physics = box_blur(5)
    x = torch.nn.functional.interpolate(torch.rand(1, 1, 4, 4), scale_factor=4)
    y = physics.A(x)
    optimizer = torch.optim.Adam(method.parameters(), lr=rate)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = method.loss(method(y, physics), x)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert losses[-1] < share * losses[0]


def fit(method, batches):
    """Train a method on batches (x, y, physics), one step each, by Lightning."""
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(method, DataLoader(batches, collate_fn=lambda items: items[0]))
