"""The rows that an estimator trains on, standardized, and how minibatches are read from them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from thinnet.data.moments import standardized
from thinnet.data.rows import Rows
from thinnet.sklearn import rows
from thinnet.sklearn.inputs import Inputs
from thinnet.sklearn.sample import Sample
from thinnet.sklearn.table import Columns
from thinnet.sparse_rows import SparseRows
from thinnet.teams import ONE_THREAD, Team
from thinnet.typing import AnyArray, FloatArray, IntArray

# Returns the standardized rows with these indices; the next call overwrites them.
Reader: TypeAlias = Callable[[IntArray], FloatArray | SparseRows]


class TrainingRows:
    """Rows from `thinnet.sklearn.inputs.checked`, standardized, with targets and weights, in the form steps read.

    Floats and the elements of sparse matrices are standardized once. Bytes, which would take more memory as floats, and
    rows of a table whose matrix would take too much, are standardized in each minibatch.

    Attributes:
        num_rows: how many there are.
        targets: on the scale of the nets.
    """

    def __init__(self, inputs: Inputs, sample: Sample, targets: AnyArray, dtype: Any) -> None:
        self.num_rows, self.num_features = sample.X.shape[0], inputs.num_outputs
        self.dtype = np.dtype(np.float32)
        self.team: Team = ONE_THREAD
        self.targets, self._weights = targets, sample.weights
        self._read = _reader(inputs, sample.X, np.dtype(dtype))

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """The rows with these indices."""
        return Rows(self._read(rows), self.targets[rows], None if self._weights is None else self._weights[rows])


def _reader(inputs: Inputs, given: Any, dtype: Any) -> Reader:
    how, encoder = inputs.standardization, inputs.encoder
    if inputs.makes_sparse(given):
        matrix = inputs.matrix(given)
        standardized(np.stack(rows.ends(matrix)), how, dtype)  # raises if something is still too large
        compressed = how.sparse_rows(matrix, dtype)
        return lambda index: compressed[index]
    if encoder is None and given.dtype == np.uint8:
        return lambda index: how.rows(given[index], dtype)
    pieces = ((start, standardized(X, how, dtype)) for start, X in inputs.pieces(given))
    if encoder is not None and inputs.takes_much(given.shape[0]):
        for _ in pieces:  # raises before training starts if something cannot be used
            pass
        columns = given if isinstance(given, Columns) else encoder.read(given)
        return lambda index: standardized(encoder.transform(columns[index]), how, dtype)
    whole: FloatArray = np.empty((given.shape[0], inputs.num_outputs), dtype)
    for start, piece in pieces:
        whole[start : start + len(piece)] = piece
    return Whole(whole)


class Whole:
    """Reads rows of a matrix into a buffer that is reused."""

    def __init__(self, matrix: FloatArray) -> None:
        self._matrix, self._out = matrix, matrix[:0].copy()

    def __call__(self, index: IntArray) -> FloatArray:
        if len(self._out) < len(index):
            self._out = np.empty((len(index), self._matrix.shape[1]), self._matrix.dtype)
        # "raise", the default mode, would copy; the indices are known to be in range.
        return self._matrix.take(index, axis=0, out=self._out[: len(index)], mode="clip")
