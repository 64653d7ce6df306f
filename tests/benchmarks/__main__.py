"""`make bench`: speed as ratios to peers in the same run."""

import warnings

from tests.benchmarks import (
    bench_ct,
    bench_denoisers,
    bench_dictionary,
    bench_referee,
    bench_start,
    bench_training,
    bench_tv,
)

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(f"{'ratio':>8}  {'expected':14}what")
    for part in (bench_start, bench_referee, bench_training, bench_ct, bench_tv, bench_denoisers, bench_dictionary):
        for name, ratio, expected in part.main():
            print(f"{ratio:8.3g}  {expected:14}{name}", flush=True)
