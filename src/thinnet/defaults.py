"""The defaults of nets, solvers, configs and estimators, each written once, so that equal names mean equal things."""

import sys
from typing import Literal

# A net.
DROPOUT = 0.0
ACTIVATION = "relu"
LOSS = "softmax"
LABEL_SMOOTHING = 0.0
REG = 0.0
WEIGHT_SCALE: Literal["he"] = "he"
DTYPE = "float32"

# Its training.
OPTIMIZER = "adam"
LEARNING_RATE = 1e-3
SCHEDULE = "constant"
BATCH_SIZE = 100
EPOCHS = 10


def progress() -> bool:
    """Whether a bar is shown: where standard error, which not every program has, is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
