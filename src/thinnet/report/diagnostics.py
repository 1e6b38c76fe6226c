"""Diagnostics of a trained net: confusion matrix, calibration, mistakes and active units."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from thinnet.data import Dataset
from thinnet.nets import FullyConnectedNet
from thinnet.nets.predictions import probabilities
from thinnet.steps.base import Batch
from thinnet.steps.readable import hidden_forward
from thinnet.typing import AnyArray, FloatArray, IntArray

NUM_BINS = 10
NUM_MISTAKES = 12
ROWS_FOR_UNITS = 1024  # enough to know fractions of active units to a percent
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Mistake:
    """A misclassified row, and the net's confidence in its answer."""

    row: int
    label: int
    answer: int
    confidence: float


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram: for each bin of confidence, the count, the mean confidence and the accuracy."""

    count: IntArray  # (NUM_BINS,)
    confidence: FloatArray  # (NUM_BINS,), NaN for empty bins
    accuracy: FloatArray  # (NUM_BINS,), the same

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of |confidence − accuracy| over answers."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(np.nansum(gaps * self.count) / max(1, self.count.sum()))


@dataclass(frozen=True)
class Layer:
    """The mean number of units above zero per row in one hidden layer."""

    width: int
    active: float  # in test mode, without dropout
    thinned: float  # in training mode, with dropout
    never: int  # number of units that are above zero for no row, in test mode


@dataclass(frozen=True)
class Diagnostics:
    """The diagnostics of a net on one split of its data."""

    split: str
    confusion: IntArray  # (C, C), rows are true classes
    mistakes: tuple[Mistake, ...]  # the most confident first
    calibration: Calibration
    layers: tuple[Layer, ...]

    @property
    def num_mistakes(self) -> int:
        """The number of wrong answers; `mistakes` has only the most confident ones."""
        return int(self.confusion.sum() - self.confusion.trace())


def diagnose(net: FullyConnectedNet, data: Dataset, batch_size: int) -> Diagnostics:
    """Evaluate a classifier on the test rows, or else the validation or training rows, in pieces of bounded size.

    The data must be standardized as in training; `batch_size` is the number of rows per batch in training.
    """
    split = next(name for name in ("test", "val", "train") if data.num_rows(name))
    pieces = [slice(start, start + ROWS_AT_ONCE) for start in range(0, data.num_rows(split), ROWS_AT_ONCE)]
    # Softmax of the scores, whichever loss on labels the net was trained with.
    scores = np.concatenate([net.scores(data.batch(split, piece)[0]) for piece in pieces])
    shares = probabilities("softmax", scores.astype(np.float64))
    y, answers, sure = data.labels(split), shares.argmax(axis=1), shares.max(axis=1)
    confusion = np.zeros((net.num_classes, net.num_classes), np.int64)
    np.add.at(confusion, (y, answers), 1)
    wrong = np.flatnonzero(answers != y)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:NUM_MISTAKES]
    mistakes = tuple(Mistake(int(k), int(y[k]), int(answers[k]), float(sure[k])) for k in worst)
    layers = tuple(_layers(net, data, batch_size))
    return Diagnostics(split, confusion, mistakes, _calibration(sure, answers == y), layers)


def _calibration(sure: FloatArray, right: AnyArray) -> Calibration:
    bins = np.minimum((sure * NUM_BINS).astype(int), NUM_BINS - 1)
    count, total, hits = (np.bincount(bins, weights, NUM_BINS) for weights in (None, sure, right))
    with np.errstate(invalid="ignore"):
        return Calibration(count, total / count, hits / count)


def _layers(net: FullyConnectedNet, data: Dataset, batch_size: int) -> Iterator[Layer]:
    """The activity of each hidden layer, computed layer by layer in both modes.

    Only for ReLU nets: with other activations, units below zero are active too.
    """
    if not net.hidden_dims or net.activation != "relu":
        return
    none = np.empty(0)  # no targets are needed
    copy = net.copy()  # batch normalization in training mode updates its running statistics
    X, _ = data.batch("train", slice(0, ROWS_FOR_UNITS), dtype=net.dtype)
    test, train = _pieces(X, batch_size), _pieces(X, batch_size)
    for number, width in enumerate(net.hidden_dims, start=1):
        layer = partial(hidden_forward, copy.spec, copy.state, number)
        test = [layer(piece, None)[0] for piece in test]
        train = [layer(piece, Batch(piece, none, step=net.step + k))[0] for k, piece in enumerate(train)]
        used = np.logical_or.reduce([(piece > 0).any(axis=0) for piece in test])
        yield Layer(width, _active(test), _active(train), int(width - used.sum()))


def _pieces(X: FloatArray, size: int) -> list[FloatArray]:
    """Batches as in training: only full ones, unless there are none."""
    whole = len(X) - len(X) % size or len(X)
    return [X[start : start + size] for start in range(0, whole, size)]


def _active(pieces: list[FloatArray]) -> float:
    return float(np.concatenate([(piece > 0).sum(axis=1) for piece in pieces]).mean())
