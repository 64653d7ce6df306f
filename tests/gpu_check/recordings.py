"""What a GPU repeats from a recording against what it does kernel by kernel: trainings, and harmonic interpolation."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from unittest import mock

from bench.engines.local import LocalEngine, Task
from tests.gpu_check.plan import OutOfTime, Plan, stop_clock
from tests.gpu_check.report import FAILED, NOTE, OK, Row

# A network alone, with a complex image, with random numbers, and in a method of findings
TRAININGS = (
    ("dncnn", "denoising:mini"),
    ("unet", "mri:mini"),
    ("mc_dropout", "denoising:mini"),
    ("two_stage", "nodules:mini"),
)
STEPS = 12
SHAPES = ((16, 1, 64, 64), (2, 1, 256, 256))  # of images with half of their pixels known
SAME = 1e-6  # largest difference of a weight, or of a pixel
SECONDS = 120.0


def rows(plan: Plan) -> Iterator[Row]:
    if plan.device != "cuda":
        yield Row(NOTE, "recordings", "there are none on a processor")
        return
    tasks = [Task(f"{method} on {track}", training, (method, track), SECONDS) for method, track in TRAININGS]
    tasks.append(Task("harmonic interpolation", interpolation, (), SECONDS))
    waiting = {task.name: task for task in tasks}
    try:
        for ended in LocalEngine(plan.jobs, plan.visible).work(tasks):
            del waiting[ended.task.name]
            yield row_of(ended.task.name, ended.value, ended.error)
    except OutOfTime:
        stop_clock()
        for name in waiting:
            yield Row(FAILED, name, f"not done within the {plan.seconds:.0f} s of this part")


def row_of(what: str, value: Any, error: str) -> Row:
    if error:
        return Row(FAILED, what, error)
    apart, count, said = value
    if not count:
        return Row(FAILED, what, f"was not recorded: {said or 'no reason was given'}")
    found = f"{count} recorded, differs by {apart:.1e}"
    return Row(OK if apart <= SAME else FAILED, what, found, f"at most {SAME:g}")


def training(method_name: str, track_name: str, report: Callable[[str], None]) -> tuple[float, int, str]:
    """The largest difference of weights after a short training, how many networks were recorded, and warnings."""
    import torch
    from pytorch_lightning import seed_everything

    import bench.recorded_networks
    from bench.contract import registry
    from bench.contract.construct import build
    from bench.contract.determinism import deterministic
    from bench.evaluation.train import train

    made: list[Any] = []

    class Seen(bench.recorded_networks.Recorded):
        def recording(self, x: Any) -> Any:
            found = super().recording(x)
            made.extend([found] if found else [])
            return found

    track = registry.track(track_name)
    track = replace(track, budget=replace(track.budget, steps=STEPS, validation=1))
    problem = registry.load_task(track.task).open(track)

    def weights() -> dict[str, Any]:
        seed_everything(0, verbose=False)
        method: Any = build(registry.load_method(method_name), track, {})
        train(method, track, problem, seed=0, accelerator="cuda", report=report)
        return {name: one.double() for name, one in method.state_dict().items()}

    deterministic()
    os.environ["BENCH_RECORDED"] = "on"
    with mock.patch("bench.evaluation.train.recorded_networks", return_value=nullcontext()):
        plain = weights()
    with mock.patch("bench.recorded_networks.Recorded", Seen), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        recorded = weights()
    apart = max(float((plain[name] - one).abs().max()) for name, one in recorded.items())
    torch.cuda.synchronize()
    return apart, len(made), told(said)


def interpolation(report: Callable[[str], None]) -> tuple[float, int, str]:
    """The largest difference of a pixel, and how many shapes were recorded."""
    import torch

    from tasks.physics import inpainting

    apart, count = 0.0, 0
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for number, shape in enumerate(SHAPES):
            generator = torch.Generator().manual_seed(number)
            image, mask = (torch.rand(shape, generator=generator).cuda() for _ in range(2))
            known = (mask < 0.5).float()
            with mock.patch.object(inpainting, "recordable", return_value=False):
                plain = inpainting.harmonic(known * image, known)
            for _ in range(2):
                found = inpainting.harmonic(known * image, known)
            apart = max(apart, float((found - plain).abs().max()))
            count += inpainting.recording(image.shape, image.dtype, image.device) is not None
    return apart, count if count == len(SHAPES) else 0, told(said)


def told(said: Any) -> str:
    """The reasons why something was not recorded, among warnings; empty where there are none."""
    return "; ".join(dict.fromkeys(text for one in said if "record" in (text := str(one.message))))
