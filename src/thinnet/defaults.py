"""The defaults of nets, solvers, configs and estimators, defined once so that the same name has the same default."""

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
    """Whether to show a progress bar: if standard error exists and is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
