"""Whole processes measured from outside: time to import, time to the first step, peak memory of training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent

FIRST_STEP = """
import numpy as np, thinnet
data = thinnet.Dataset(np.zeros((200, 3072), np.uint8), np.zeros(200, int))
net = thinnet.FullyConnectedNet([500, 500, 500], 3072, 10, dropout=0.5, normalization="batchnorm", seed=0)
thinnet.Solver(net, data, verbose=False, progress=False).step()
"""

TRAIN = {
    "thinnet": """
import numpy as np, thinnet
X = np.random.default_rng(0).integers(0, 256, (50_000, 3072), np.uint8)
data = thinnet.Dataset(X, np.zeros(len(X), int)).standardized("mean")
net = thinnet.FullyConnectedNet([500, 500, 500], 3072, 10, dropout=0.5, normalization="batchnorm", seed=0)
solver = thinnet.Solver(net, data, verbose=False, progress=False)
for _ in range(100): solver.step()
""",
    "PyTorch": """
import numpy as np, torch
X = np.random.default_rng(0).integers(0, 256, (50_000, 3072), np.uint8)
X = torch.from_numpy(X).float()
X -= X.mean(dim=0)
y = torch.zeros(len(X), dtype=torch.long)
layers, fan_in = [], 3072
for _ in range(3):
    layers += [torch.nn.Linear(fan_in, 500), torch.nn.BatchNorm1d(500), torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    fan_in = 500
net = torch.nn.Sequential(*layers, torch.nn.Linear(500, 10))
optimizer = torch.optim.Adam(net.parameters(), fused=True)
for _ in range(100):
    rows = torch.randint(len(X), (100,))
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
    optimizer.step()
""",
}

PEAK = "\nimport resource, json; print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))"


def import_seconds(module: str) -> float | None:
    """The seconds of a process that only imports `module`, with bytecode cached; None if it is not installed."""
    return _seconds(f"import {module}", {})


def first_step_seconds(cold: bool) -> float:
    """The seconds of a process that builds the net and takes one step, with compiled kernels cached or not."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = _seconds(FIRST_STEP, {"NUMBA_CACHE_DIR": folder} if cold else {})
        assert seconds is not None
        return seconds


def peak_megabytes(name: str) -> float | None:
    """The peak resident memory of training on 50,000 images; None if the contender is not installed."""
    done = subprocess.run([sys.executable, "-c", TRAIN[name] + PEAK], capture_output=True, text=True, env=_env({}))
    return float(json.loads(done.stdout)) if done.returncode == 0 else None


def _seconds(code: str, extra: dict[str, str]) -> float | None:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], env=_env(extra), capture_output=True)
    return time.perf_counter() - started if done.returncode == 0 else None


def _env(extra: dict[str, str]) -> dict[str, str]:
    """The environment, but with bytecode caching on, as by default."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | extra
