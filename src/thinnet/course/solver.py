"""The courses' Solver: Thinnet's, with every random draw taken from NumPy's global generator as the courses do."""

import json
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import thinnet.solver
from thinnet.checks import check_choice
from thinnet.course.optim import known_options
from thinnet.schedules import EpochDecay
from thinnet.storage.files import write_atomically
from thinnet.typing import AnyArray, IntArray

# The courses' names of arguments, and Thinnet's.
NAMES = {"num_epochs": "epochs", "num_train_samples": "eval_train_rows", "num_val_samples": "eval_val_rows"}
SPLITS = ("X_train", "y_train", "X_val", "y_val")
DEFAULTS = {"optim_config": {}, "lr_decay": 1.0, "batch_size": 100, "num_train_samples": 1000, "num_val_samples": None}


class Solver(thinnet.solver.Solver):
    """Train a course's model on a course's dict of data, with the courses' arguments, draws and prints.

    Batches are drawn with replacement, so an epoch is only about as long as the data: ⌊N / batch_size⌋ steps.

    Args:
        model, data: as for `thinnet.Solver`.
        optim: the module in which `update_rule` is looked up.
        update_rule: the name of a function there.
        optim_config: its hyperparameters, such as ``{"learning_rate": 1e-3}``.
        lr_decay: the factor of the learning rate after each epoch.
        checkpoint_name: if given, each epoch ends with a file ``<checkpoint_name>_epoch_<number>.safetensors`` of
            parameters and running statistics, the history in its metadata.
        options: num_epochs, num_train_samples and num_val_samples, and the rest as for `thinnet.Solver`.
    """

    _stops_at_nan = False  # the courses' solver prints nan and goes on

    def __init__(
        self,
        model: Any,
        data: dict[str, AnyArray],
        *,
        optim: ModuleType,
        update_rule: str = "sgd",
        optim_config: dict[str, Any] | None = None,
        lr_decay: float = 1.0,
        checkpoint_name: str | None = None,
        **options: Any,
    ) -> None:
        rules = [name for name, value in vars(optim).items() if callable(value) and not name.startswith("_")]
        rule = getattr(optim, check_choice("update_rule", update_rule, rules))
        hyperparameters, named = dict(optim_config or {}), dict(options)
        if hasattr(rule, "native"):
            hyperparameters = known_options(rule.native, hyperparameters)
        options = {
            "progress": False,
            "seed": 0,
            "sampling": "replacement",
            # Our own rules by name, so that large arrays are updated in pieces; a student's function as it is.
            "optimizer": getattr(rule, "native", rule),
            "learning_rate": hyperparameters.pop("learning_rate", None),
            "optimizer_options": hyperparameters,
            "schedule": None if lr_decay == 1 else EpochDecay(lr_decay),
            **{NAMES.get(name, name): value for name, value in options.items()},
        }
        self.checkpoint_name = checkpoint_name
        super().__init__(model, data, **options)
        given = {"optim_config": optim_config or {}, "lr_decay": lr_decay, "update_rule": rule}
        self._given = DEFAULTS | given | named | {name: data[name] for name in SPLITS}

    def __getattr__(self, name: str) -> Any:
        """What the courses' solver keeps under the names of its arguments, for notebooks that show it."""
        try:
            return self.__dict__["_given"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    loss_history = property(attrgetter("history.loss"), doc="The loss of each step.")
    train_acc_history = property(attrgetter("history.train_accuracy"), doc="Training accuracy at each evaluation.")
    val_acc_history = property(attrgetter("history.val_accuracy"), doc="Validation accuracy at each evaluation.")
    best_val_acc = property(attrgetter("best_val_accuracy"), doc="The best validation accuracy; 0 before there is one.")
    num_epochs = property(attrgetter("state.epochs"), doc="How many epochs the whole training has.")

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

    def _draw_rows(self, step: int) -> IntArray:
        return np.random.choice(self.order.num_rows, self.order.batch_size)

    def _rows_to_evaluate(self, split: str) -> IntArray:
        return _draw(self.data.num_rows(split), self.eval_rows[split])

    def _evaluate(self) -> None:
        super()._evaluate()
        if self.checkpoint_name is not None and self.iteration % self.state.steps_per_epoch == 0:
            self._save(Path(f"{self.checkpoint_name}_epoch_{self.state.epoch}.safetensors"))

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
