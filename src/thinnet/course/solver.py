"""The courses' Solver: Thinnet's, with every random draw taken from NumPy's global generator as the courses do."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import thinnet.solver
from thinnet.checks import check_choice
from thinnet.storage.files import write_atomically
from thinnet.typing import AnyArray, IntArray


class Solver(thinnet.solver.Solver):
    """Train a course's model on a course's dict of data, with the courses' arguments, draws and prints.

    Batches are drawn with replacement, so an epoch is only about as long as the data.

    Args:
        model, data, options: as for `thinnet.Solver`.
        optim: the module in which `update_rule` is looked up.
        checkpoint_name: if given, each epoch ends with a file ``<checkpoint_name>_epoch_<number>.safetensors`` of
            parameters and running statistics, the history in its metadata.
    """

    _stops_at_nan = False  # the courses' solver prints nan and goes on

    def __init__(
        self,
        model: Any,
        data: dict[str, AnyArray],
        *,
        optim: ModuleType,
        update_rule: str = "sgd",
        checkpoint_name: str | None = None,
        **options: Any,
    ) -> None:
        rules = [name for name, value in vars(optim).items() if callable(value) and not name.startswith("_")]
        rule = getattr(optim, check_choice("update_rule", update_rule, rules))
        # Our own rules by name, so that large arrays are updated in pieces; a student's function as it is.
        options["update_rule"] = getattr(rule, "native", rule)
        self.checkpoint_name = checkpoint_name
        super().__init__(model, data, **{"progress": False, "seed": 0, **options})

    @property
    def best_params(self) -> dict[str, AnyArray]:
        """A copy of the parameters that did best on the validation rows so far."""
        return {} if self.best is None else dict(self.best["params"])

    def train(self) -> None:  # type: ignore[override]  # the courses' returns nothing, and a notebook would show it
        """Train; the history is in ``loss_history``, ``train_acc_history`` and ``val_acc_history``."""
        super().train()

    def check_accuracy(self, X: AnyArray, y: AnyArray, num_samples: int | None = None, batch_size: int = 100) -> float:
        """The fraction of `num_samples` rows, drawn with replacement (all by default), classified rightly."""
        rows = _draw(len(X), num_samples)
        pieces = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        labels = [np.argmax(self.model.loss(X[piece]), axis=1) for piece in pieces]
        return float(np.mean(np.concatenate(labels) == y[rows]))

    def _draw_rows(self) -> IntArray:
        return np.random.choice(self.order.num_rows, self.order.batch_size)

    def _rows_to_evaluate(self, split: str) -> IntArray:
        return _draw(self.data.num_rows(split), self.num_samples[split])

    def _evaluate(self) -> None:
        super()._evaluate()
        if self.checkpoint_name is not None and self.iteration % self.order.steps_per_epoch == 0:
            self._save(Path(f"{self.checkpoint_name}_epoch_{self.epoch}.safetensors"))

    def _save(self, path: Path) -> None:
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in self.model.params.items()}
        for i, param in enumerate(getattr(self.model, "bn_params", []), start=1):
            running = {key: param[key] for key in ("running_mean", "running_var") if key in param}
            arrays |= {f"{key}{i}": np.ascontiguousarray(array) for key, array in running.items()}
        write_atomically(path, save(arrays, {"history": json.dumps(vars(self.history))}))


def _draw(num_rows: int, limit: int | None) -> IntArray:
    if limit is None or num_rows <= limit:
        return np.arange(num_rows)
    return np.random.choice(num_rows, limit)
