"""The training loop of a net that trains itself: whether its loss falls, and on which examples."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thinnet.check.probes.net_harness import C, D, NetHarness
from thinnet.typing import FloatArray, IntArray

ROWS, BATCH, RATE, STEPS = 40, 20, 0.1, 200
OPTIONS = {"learning_rate": RATE, "learning_rate_decay": 1.0, "reg": 0.0, "num_iters": STEPS, "batch_size": BATCH}


@dataclass
class Batches:
    """The indices of the rows in each batch that train gives to loss, as long as these are rows of X."""

    X: FloatArray
    y: IntArray
    seen: list[list[int]] = field(default_factory=list)
    mislabeled: int = 0  # how many rows came with the label of another one
    others: bool = False  # whether there was anything but rows of X
    moves: int = 0  # how often the parameters changed from one call to the next
    last: dict[Any, Any] = field(default_factory=dict)

    def note_parameters(self, params: Any) -> None:
        """Record whether the parameters have changed since the previous call."""
        now = {key: np.array(value) for key, value in params.items()}
        self.moves += any(not np.array_equal(value, now.get(key, ())) for key, value in self.last.items())
        self.last = now

    def note(self, X: Any, y: Any) -> None:
        """Record one call."""
        places = {row.tobytes(): i for i, row in enumerate(self.X)}
        rows = [places.get(np.ascontiguousarray(row, dtype=np.float64).tobytes(), -1) for row in np.asarray(X)]
        self.others = self.others or min(rows, default=-1) < 0 or np.shape(y) != (len(rows),)
        if not self.others:
            self.seen.append(rows)
            self.mislabeled += int(np.sum(self.y[rows] != np.asarray(y)))

    def told(self) -> str:
        """What is wrong with the batches, or nothing."""
        if self.others or len(self.seen) < STEPS // 2:
            return ""
        if self.mislabeled:
            share = f"{self.mislabeled} of {sum(map(len, self.seen))}"
            return f"{share} rows that train gives to loss come with the label of another row"
        first = {*self.seen[0]}
        if len(first) < len(self.X) and all({*rows} == first for rows in self.seen):
            return f"in all {len(self.seen)} steps, train gives the same {len(first)} of {len(self.X)} rows to loss"
        return ""  # some keep a few rows for validation


def check_training(harness: NetHarness, train_name: str) -> None:
    """Training on easily separable data must lower the loss."""
    net, (X, y) = harness.fresh((), {}), harness.data(ROWS)
    X = X + 3 * np.eye(C, D)[y]
    before = {key: np.array(value) for key, value in net.params.items()}
    start = harness.loss(net, X, y)[0]
    batches, loss = Batches(X, y), net.loss

    def noted(X: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        if y is not None:  # not for predictions
            try:
                batches.note(X, y)
                batches.note_parameters(net.params)
            except Exception:  # whatever was given here is not judged
                batches.others = True
        return loss(X, *(() if y is None else (y,)), *args, **kwargs)

    net.loss = noted
    harness.subject.call(train_name, net, X, y)
    net.loss = loss
    end = harness.loss(net, X, y)[0]
    batches.note_parameters(net.params)
    steps = f"after {STEPS} steps of train at learning_rate {RATE}"
    message = f"{steps} the loss is {end:.4g}, before it was {start:.4g}"
    kept = [str(key) for key, value in before.items() if np.array_equal(net.params[key], value)]
    if told := batches.told():
        harness.subject.report("wrong-batches", f"{told}; {message}")
    elif len(kept) == len(before):
        harness.subject.report("wrong-update", f"{message}: no parameter has changed")
    elif kept:
        harness.subject.report("wrong-update", f"{message}, and {' and '.join(kept)} have not changed")
    elif not end < 0.9 * start:
        few = 0 < batches.moves < STEPS // 2
        seldom = f": the parameters have changed in {batches.moves} of its steps" if few else ""
        harness.subject.report("update-uphill" if end > start else "wrong-update", message + seldom)
