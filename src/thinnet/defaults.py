"""The defaults of nets, solvers, configs and estimators, each written once, so that equal names mean equal things."""

from __future__ import annotations

# A net.
DROPOUT = 0.0
ACTIVATION = "relu"
LOSS = "softmax"
REG = 0.0
WEIGHT_SCALE = "he"
DTYPE = "float32"

# Its training.
OPTIMIZER = "adam"
LEARNING_RATE = 1e-3
SCHEDULE = "constant"
BATCH_SIZE = 100
EPOCHS = 10
