"""Mixup: minibatches whose rows, and what is to be learned from them, are each mixed with another row's."""

from functools import cached_property
from typing import Any, Protocol

import numpy as np

from thinnet.data.rows import Rows, inplace_mix
from thinnet.teams import Team
from thinnet.typing import AnyArray, FloatArray, IntArray

MIXUP_STREAM = 3  # keeps what is drawn here apart from the order of the batches, which has the same seed


class FloatRows(Protocol):
    """What is mixed: `thinnet.data.rows.RowReader` is one."""

    dtype: np.dtype[Any]
    team: Team

    @property
    def num_features(self) -> int:
        """How many numbers a row has."""

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """The rows of these numbers, as they are in a step."""


class MixedRows:
    r"""Rows of a reader, each mixed with another one of its minibatch by a share λ that all of them have in common:

        x ← λ·x + (1 − λ)·x'        y ← λ·y + (1 − λ)·y'        λ ~ Beta(α, α)

    The other row comes from a permutation of the minibatch.  Both it and λ are functions of the seed, the step, and how
    many rows there are, and of nothing else; rows are augmented before.  Labels become the shares of the classes,
    (N, C).  Where rows count w times, so does each one's part: the loss, which is linear in the targets, is the sum
    over the parts.

    Args:
        reader: of float rows, dense or sparse.
        alpha: α > 0; 0.2 mixes few rows noticeably, and 1 makes all shares alike likely.
        seed, max_rows: of the minibatches, and the most rows in one.
        num_classes: C, where targets are labels; None for values.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", arXiv 1710.09412 (2017).
    """

    def __init__(self, reader: FloatRows, alpha: float, seed: int, max_rows: int, num_classes: int | None) -> None:
        self.reader, self.alpha, self.seed, self.num_classes = reader, alpha, seed, num_classes
        self.dtype, self._max_rows = reader.dtype, max_rows

    def draw(self, count: int, step: int) -> tuple[float, AnyArray]:
        """λ, and by which row each of so many is mixed, in a step."""
        generator = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(MIXUP_STREAM, step)))
        return float(generator.beta(self.alpha, self.alpha)), generator.permutation(count)

    def read(self, rows: AnyArray, step: int = 0) -> Rows:
        """The rows of these numbers, mixed as they are in a step; overwritten by the next call."""
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
        if not isinstance(X, np.ndarray):  # sparse rows, which mix themselves
            return X.mixed(partners, share)
        out = self._room[: len(X)]
        inplace_mix(X, partners, share, out, self.reader.team)
        return out

    @cached_property
    def _room(self) -> FloatArray:
        """For dense rows."""
        return np.empty((self._max_rows, self.reader.num_features), self.dtype)
