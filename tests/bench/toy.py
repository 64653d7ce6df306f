"""A task of tiny random images, found as one of another distribution is: by the entry point `reconbench.tasks`."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contract.task import Budget, Images, Metric, Observer, Problem, Task, Track
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.runs.spec import Spec

SIZE = 16
HOME = Path(__file__).parent


def psnr(x_hat, x, params) -> float:
    return float(-10 * (x_hat - x).square().mean().log10())


def mae(x_hat, x, params) -> float:
    return float((x_hat - x).abs().mean())


def overlap(finding, target, params) -> float:
    """The share of pixels on which a finding and the target agree."""
    return float(((finding > 0.5) == (target["map"] > 0.5)).double().mean())


def brightest(finding, target, params) -> list[float]:
    """The record of one image: its largest probability, and whether the target is more than half of the image."""
    return [float(finding.max()), float(target["map"].mean() > 0.5)]


def ordered(records) -> float:
    """A score of a set: of pairs of images, the share whose brightest probabilities have the order of their targets."""
    pairs = [(a, b) for a in records for b in records if a[1] > b[1]]
    return sum(a[0] > b[0] for a, b in pairs) / len(pairs) if pairs else 0.5


def knowing(weights: str):
    """An observer that knows where the finding is: where an image is brighter than its level."""
    import torch

    class Knowing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.level = torch.nn.Parameter(torch.tensor(float(weights)), requires_grad=False)

        def forward(self, x):
            return torch.sigmoid(200 * (x - self.level))

    return Knowing()


def left(x, target):
    """The left quarter of an image, as a region."""
    import torch

    mask = torch.zeros(x.shape[-2:], dtype=torch.bool)
    mask[:, : x.shape[-1] // 4] = True
    return mask


def open_track(track: Track) -> Problem:
    import numpy as np
    import torch
    from deepinv.physics import Denoising, GaussianNoise

    if track.name == "absent":
        raise BenchError("data set 'toys' lacks one.png: run `bench data get toys`.")
    sigma = track.options["sigma"]

    def load(name: str) -> np.ndarray:
        split, _, index = name.partition("-")
        rng = np.random.default_rng([len(split), int(index)])
        image = np.clip(0.5 + np.cumsum(rng.normal(0, 0.05, (SIZE, SIZE)), axis=0), 0, 1)
        return image.astype(np.float32).astype(np.float64)  # exact in what a method sees, where there is no noise

    def measure(image, rng):
        x = torch.from_numpy(image)[None]
        y = x + sigma * torch.from_numpy(rng.standard_normal(x.shape))
        return (x, y, {}, {"map": (x > 0.5).double()}) if track.classes else (x, y, {})

    def physics(params, device):
        return Denoising(GaussianNoise(sigma)).to(device)

    def augment(image, rng):
        return np.ascontiguousarray(np.rot90(image, int(rng.integers(4))))

    def simulate(arrays, generators):
        x = arrays["image"][:, None]
        noise = [torch.randn(*x.shape[1:], generator=own, device=x.device) for own in generators]
        return x, x + sigma * torch.stack(noise), {}

    counts = {"train": 5, "val": 3, "test": 5}
    splits = {split: Images(tuple(f"{split}-{i}" for i in range(n)), load) for split, n in counts.items()}
    return Problem(splits, measure, physics, augment, simulate if track.training.get("simulated") else None)


def track(name: str, **changes: Any) -> Track:
    declared: dict[str, Any] = {
        "task": "toy",
        "name": name,
        "title": f"Toys, {name}",
        "version": 1,
        "metrics": (Metric("psnr", "toy:psnr", True, unit="dB"), Metric("mae", "toy:mae", False)),
        "budget": Budget(trials=3, images=2, steps=10, batch=2),
        "options": {"sigma": 0.1},
    }
    return Track(**(declared | changes))


OBSERVER = Observer("toy:finding", "toy:knowing", "0.5", {"sigma": 1e-6})
MINI = track("mini", observer=OBSERVER)
SIMULATED = track("mini", training={"simulated": True})  # on the device of the training
EXACT = track("exact", options={"sigma": 0.0}, budget=Budget(trials=3, images=2, steps=10, batch=4))
ABSENT = track("absent")
FINDING = track(
    "finding",
    metrics=(
        Metric("overlap", "toy:overlap", True, of="finding"),
        Metric("ordered", "toy:ordered", True, of="finding", record="toy:brightest"),
        *MINI.metrics,
    ),
    classes=1,
    region="toy:left",
)
TASK = Task("toy", "Toys", (MINI, EXACT, ABSENT, FINDING), open_track)

TINY_NETWORK = """
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        conv = torch.nn.Conv2d
        self.network = torch.nn.Sequential(conv(1, width, 3, padding=1), torch.nn.ReLU(), conv(width, 1, 3, padding=1))

    def forward(self, y, physics):
        return y + self.network(y)
"""

READER = """
    returns = ("image", "finding")
    inner = "reconstruction"

    def __init__(self, reconstruction="shrink", channels: int = 1, classes: int = 1) -> None:
        super().__init__()
        self.reconstruction = reconstruction.requires_grad_(False)
        self.network = torch.nn.Conv2d(channels, classes, 1)

    def loss(self, x_hat, x, target):
        return torch.nn.functional.binary_cross_entropy(x_hat.finding, target["map"])

    def forward(self, y, physics):
        x_hat = self.reconstruction(y, physics)
        return Estimate(x_hat, torch.sigmoid(self.network(x_hat)))
"""

SHRINK = """
    search_space = {"factor": Float(0.1, 1.0)}

    def __init__(self, factor: float = 0.9) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, y, physics):
        return self.factor * y
"""


DESCENT = """
    def forward(self, y, physics):
        return y

    def convergence(self, y, physics):
        return [2.0, 1.0]
"""


ATOMS = """
    def forward(self, y, physics):
        return y

    def atoms(self, y, physics):
        return {"dictionary": torch.arange(12.0).reshape(3, 2, 2)}
"""


def method_file(folder: Path, name: str, body: str, base: str = "Method") -> str:
    """The path of a method file with one class, of an indented ``body``, or else with ``body`` in its `forward`."""
    if not body.startswith(("    ", "\n    ")):
        body = "    def forward(self, y, physics):\n        " + body.replace("\n", "\n        ")
    head = "import glob\nimport os\nimport signal\nimport sys\nimport time\n\nimport torch\n\n"
    head += "from bench import Choice, Estimate, Float, LearnedMethod, Method\n\n\n"
    path = folder / f"{name}.py"
    path.write_text(f'"""{name}, a toy"""\n\n{head}class Toy({base}):\n{body}\n')
    return str(path)


def edit(path: str | Path, old: str, new: str) -> None:
    """Replace a text that a method file has."""
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def chore(code: str, report: Callable[[str], None]) -> Any:
    """A piece of work for an engine: run ``code`` and return its ``value``."""
    scope: dict[str, Any] = {"report": report}
    exec(code, scope)
    return scope.get("value")


def typed(words: list[str], environment: Mapping[str, str]) -> None:
    """The life of a process that is `bench` itself, in a session of its own as a terminal gives it.

    It has imported the heavy libraries, so that its runs are forked from it and need no server that imports them again.
    """
    from bench.cli import main
    from bench.engines import processes

    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    processes.START_METHOD = "fork"
    raise SystemExit(main(words))


def until(condition: Callable[[], Any], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def install(folder: Path, name: str = "toy") -> None:
    """Write what makes Python see the task of a module as an installed distribution, if ``folder`` is on the path."""
    info = folder / f"reconbench_{name}s-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: reconbench-{name}s\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[reconbench.tasks]\n{name} = {name}:TASK\n")


def install_hasty(folder: Path) -> None:
    """The track `hasty:mini` of a distribution of its own, whose runs have one second."""
    install(folder, "hasty")
    text = "from toy import *\nhasty = track('mini', task='hasty', budget=Budget(3, 2, 10, 2, seconds=1.0))\n"
    (folder / "hasty.py").write_text(text + "TASK = Task('hasty', 'Hasty toys', (hasty,), open_track)\n")


def spec(
    method: str, track: str = "toy:mini", hyperparameters: Mapping[str, Any] = {}, seed: int = 0, **wish: Any
) -> "Spec":
    """The frozen spec of a run; its method is imported here, in the process of the test."""
    from bench.contract import registry
    from bench.engines.describe import describe
    from bench.engines.freeze import specs_of
    from bench.runs.spec import MethodDescription, Wish

    found = describe(registry.absolute(method), [track], hyperparameters, None)[track]
    asked = Wish(**({"seeds": [seed]} | wish))
    return specs_of(registry.track(track), MethodDescription(**found), hyperparameters, asked, True)[0]


def perform_here(spec: "Spec", report: Callable[[str], None] = lambda stage: None) -> Path:
    """Do a run in the process of the test; returns its directory."""
    from bench.places import runs
    from bench.runs.outcomes import outcome_directory
    from bench.runs.run import perform

    with outcome_directory(runs() / spec.key) as directory:
        look = perform(spec, directory, report)
    if look is not None:
        look(runs() / spec.key)
    return runs() / spec.key
