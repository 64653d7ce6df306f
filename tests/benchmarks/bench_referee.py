"""What does the referee cost? Its evaluation over a bare loop that measures, reconstructs and scores as much."""

from __future__ import annotations

import torch

from bench.contract import registry
from bench.contract.construct import build
from bench.data.measurements import Measured
from bench.evaluation.evaluate import evaluate
from tests.benchmarks.timing import Row, paired_ratio, threads

TRACK, METHOD = "ct:mini", "tgv"  # some five seconds: the Trainer takes some 40 ms, and 1 ms an image


def main() -> list[Row]:
    track = registry.track(TRACK)
    problem = registry.load_task(track.task).open(track)
    method = build(registry.load_method(METHOD), track, {})
    metrics = [(registry.resolve(metric.function), metric.options) for metric in track.metrics]

    def bare() -> list[list[float]]:
        data = Measured(track, problem, "test")
        scores = []
        with torch.no_grad():
            for index in range(len(data)):
                sample = data[index]
                params = {name: value[None] for name, value in sample.params.items()}
                physics = problem.physics(params, torch.device("cpu"))
                x_hat = method(sample.y[None], physics).double()
                scores.append([f(x_hat, sample.x[None], params, **options) for f, options in metrics])
        return scores

    with threads(1):
        ratio = paired_ratio(lambda: evaluate(method, track, problem), bare)
    return [(f"evaluation of {METHOD} on {TRACK}: referee / bare loop", ratio, "at most 1.05")]
