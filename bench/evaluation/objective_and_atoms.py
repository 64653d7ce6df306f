"""A look inside a method on the first test image: its objective per iteration, and the atoms it has learned."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bench.contract.determinism import exact
from bench.contract.method import Convergent, HasAtoms, Method
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, collate, to_device
from bench.errors import BenchError
from bench.evaluation.curves import CurvePoint
from bench.evaluation.evaluate import seeded

NAME = re.compile(r"(?!file$|allow_pickle$)[\w .-]+")  # part of a file's name, and no argument of numpy.savez


def offered(method: Method) -> bool:
    """Whether a method offers a look inside."""
    return isinstance(method, Convergent | HasAtoms)


def curve_and_atoms(
    method: Method, track: Track, problem: Problem, device: torch.device, report: Callable[[str], None]
) -> tuple[list[CurvePoint], Mapping[str, Tensor], str]:
    """The objective after each iteration and the learned atoms (N, h, w), of a method that offers them.

    A failure costs a curve or a picture, not the scores; it is reported, and its reason is returned last.
    """
    curve: list[CurvePoint] = []
    atoms: Mapping[str, Tensor] = {}
    fault = ""
    try:
        method.to(device).eval()
        (name,), _, y, params = collate([Measured(track, problem, "test", 1)[0]])
        y, physics = y.to(device), problem.physics(to_device(params, device), device)
        with torch.no_grad(), seeded(track.id, name), exact():
            if isinstance(method, Convergent):
                report("objective per iteration")
                values = enumerate(method.convergence(y, physics), 1)
                curve = [CurvePoint("objective", n, time.time(), value) for n, value in values if math.isfinite(value)]
            if isinstance(method, HasAtoms):
                report("learned atoms")
                atoms = {name: checked(name, found) for name, found in method.atoms(y, physics).items()}
    except Exception as error:
        fault = f"no look inside the method: {error}"
        report(fault)
    return curve, atoms, fault


def checked(name: str, atoms: Tensor) -> Tensor:
    if not NAME.fullmatch(name):
        raise BenchError(f"the atoms {name!r} need a name of letters, digits, spaces, '-', '_' or '.'.")
    if atoms.ndim != 3 or not atoms.numel():
        raise BenchError(f"the atoms {name!r} have the shape {tuple(atoms.shape)}, expected (N, h, w).")
    return atoms.detach().cpu()
