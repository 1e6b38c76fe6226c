"""Mixup: minibatches in which each row and its target are mixed with those of another row."""

from functools import cached_property
from typing import Any, Protocol

import numpy as np

from thinnet.data.rows import Rows, inplace_mix
from thinnet.teams import Team
from thinnet.typing import AnyArray, FloatArray, IntArray

MIXUP_STREAM = 3  # keeps these draws independent of the batch order, which has the same seed


class FloatRows(Protocol):
    """A source of rows to mix, such as `thinnet.data.rows.RowReader`."""

    dtype: np.dtype[Any]
    team: Team
    num_features: int

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """The rows with these numbers, as they are in this step."""


class MixedRows:
    r"""Rows of a reader, each mixed with another row of its minibatch, with one λ for the whole minibatch:

        x ← λ·x + (1 − λ)·x'        y ← λ·y + (1 − λ)·y'        λ ~ Beta(α, α)

    The other rows are a permutation of the minibatch.  The permutation and λ depend only on the seed, the step, and the
    number of rows; rows are augmented before they are mixed.  Labels become class probabilities, (N, C).  If rows have
    weights, each part of a mixed row keeps its row's weight: a loss that is linear in the targets is then the weighted
    sum over the parts.

    Args:
        reader: a reader of float rows, dense or sparse.
        alpha: α > 0; with 0.2, few minibatches are mixed noticeably; with 1, λ is uniform.
        seed, max_rows: the seed of the minibatches, and the most rows in one.
        num_classes: C if targets are labels; None for values.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", arXiv 1710.09412 (2017).
    """

    def __init__(self, reader: FloatRows, alpha: float, seed: int, max_rows: int, num_classes: int | None) -> None:
        self.reader, self.alpha, self.seed, self.num_classes = reader, alpha, seed, num_classes
        self.dtype, self._max_rows = reader.dtype, max_rows

    def draw(self, count: int, step: int) -> tuple[float, AnyArray]:
        """λ, and the partner of each of `count` rows, in a step."""
        generator = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(MIXUP_STREAM, step)))
        return float(generator.beta(self.alpha, self.alpha)), generator.permutation(count)

    def read(self, rows: AnyArray, step: int = 0) -> Rows:
        """The rows with these numbers, mixed as in this step; overwritten by the next call."""
        X, y, weights = self.reader.read(rows, step)
        share, partners = self.draw(len(rows), step)
        mixed = self._mixed(X, partners, self.dtype.type(share))
        shares = np.full(len(rows), share)
        if weights is not None:
            own = share * weights
            weights = own + (1 - share) * weights[partners]
            np.divide(own, weights, out=shares, where=weights > 0)
        if self.num_classes is not None:
            y = np.eye(self.num_classes)[y]
        own, other = shares[:, None], (1 - shares)[:, None]
        return Rows(mixed, (own * y + other * y[partners]).astype(self.dtype), weights)

    def _mixed(self, X: Any, partners: AnyArray, share: Any) -> Any:
        if not isinstance(X, np.ndarray):  # sparse rows have their own method
            return X.mixed(partners, share)
        out = self._room[: len(X)]
        inplace_mix(X, partners, share, out, self.reader.team)
        return out

    @cached_property
    def _room(self) -> FloatArray:
        """The output buffer for dense rows."""
        return np.empty((self._max_rows, self.reader.num_features), self.dtype)
