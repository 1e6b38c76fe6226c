"""scikit-learn's MLPClassifier, which has neither normalization nor dropout."""

from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier

from job import Job


def build(job: Job) -> Callable[[], object]:
    """One ``partial_fit`` on one minibatch: one step of Adam."""
    X, y = job.floats()
    net = MLPClassifier(job.hidden_dims, batch_size=job.batch_size, learning_rate_init=job.learning_rate)
    batches, classes = job.batches(), np.arange(job.num_classes)
    X /= 255

    def step() -> None:
        rows = next(batches)
        net.partial_fit(X[rows], y[rows], classes=classes)

    return step
