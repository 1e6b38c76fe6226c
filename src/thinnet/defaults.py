"""The defaults of nets, solvers, configs and estimators, each written once, so that equal names mean equal things."""

from __future__ import annotations

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

# The estimators for tables, where dropout, a normalization and larger steps that shrink did better on the data sets of
# BENCHMARKS.md than a plain net; everything else is as above.
TABLE_DROPOUT = 0.25
TABLE_NORMALIZATION: Literal["layernorm"] = "layernorm"
TABLE_LEARNING_RATE = 5e-3
TABLE_SCHEDULE = "cosine"
