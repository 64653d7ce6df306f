"""`python -m tests.gpu_train [--minutes M] [--only NAME...]`: train, score, pack; exit status 1 after a failure.

The packages of `BENCH_WHEELS` are installed first, into a folder of their own: everything else imports them.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.gpu_check.surroundings import install

if __name__ == "__main__":
    begun = time.monotonic()
    if wheels := os.environ.pop("BENCH_WHEELS", ""):
        site = Path(tempfile.mkdtemp(prefix="gpu-train-"))
        if reason := install(wheels, site):
            sys.exit(f"gpu-train: {reason}")
        os.environ["GPU_TRAIN_BEGUN"] = str(begun)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        os.execv(sys.executable, [sys.executable, "-m", "tests.gpu_train", *sys.argv[1:]])
    from tests.gpu_train.command import main

    sys.exit(main(begun=float(os.environ.pop("GPU_TRAIN_BEGUN", begun))))
