"""When training ends before its last pass, and which weights it ends with."""

from __future__ import annotations

import math
from typing import Any

from thinnet.nets import FullyConnectedNet
from thinnet.training.weights import restore, snapshot


class Stopping:
    """Counts the passes since the last improvement, by scikit-learn's rule.

    A score (higher is better) improves where it exceeds the best one by `tol`; after `patience` passes without an
    improvement training stops, with None never.
    """

    def __init__(self, tol: float, patience: int | None) -> None:
        self.tol, self.patience = tol, patience
        self.best = -math.inf
        self.since = 0
        self._kept: Any = None

    def tell(self, score: float, net: FullyConnectedNet | None = None) -> bool:
        """Take the score of a pass in; keep the net's weights if it is the best. Returns whether to stop."""
        self.since = 0 if score > self.best + self.tol else self.since + 1
        if score > self.best:
            self.best = score
            self._kept = None if net is None else snapshot(net)
        return self.patience is not None and self.since >= self.patience

    def restore(self, net: FullyConnectedNet) -> None:
        """Put the weights of the best pass back, if they were kept."""
        if self._kept is not None:
            restore(net, self._kept)
