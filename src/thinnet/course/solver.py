"""The courses' Solver: their loop and names, with the same random draws from NumPy's global generator."""

import json
import pickle
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from thinnet.arguments import Known, known_arguments
from thinnet.checks import check_choice, check_number
from thinnet.errors import ArgumentError
from thinnet.nets import FullyConnectedNet
from thinnet.storage.files import write_atomically
from thinnet.training.compilation import compilation_announced
from thinnet.training.evaluator import checked_limit
from thinnet.training.fit import as_dataset
from thinnet.training.model_update import CallableRule, checked_gradient, checked_model, loss_and_gradients
from thinnet.training.weights import restore, snapshot
from thinnet.typing import AnyArray, FloatArray

HISTORIES = ("loss_history", "train_acc_history", "val_acc_history")
# In the courses' checkpoints, besides the model.
SETTINGS = ("update_rule", "lr_decay", "optim_config", "batch_size", "num_train_samples", "num_val_samples", "epoch")


class Solver(Known):
    """Train a course's model on a course's dict of data, with the courses' arguments, attributes, draws and output.

    Batches are drawn with replacement, so an epoch, ⌊N / batch_size⌋ steps, is only roughly one pass over the data.
    As in the courses, ``train`` may be called again for `num_epochs` more epochs, attributes may be assigned at any
    time, and a subclass may override ``_step``, ``check_accuracy`` and the other methods.

    Args:
        model: an object with a mapping ``params`` and ``loss``.
        data: a dict with the keys X_train, (N, ...) numbers; y_train, (N,) labels; X_val and y_val.
        optim: the module in which `update_rule` is looked up.
        update_rule: the name of a function there.
        optim_config: its hyperparameters, such as ``{"learning_rate": 1e-3}``.
        lr_decay: what the learning rate is multiplied by after each epoch.
        batch_size, num_epochs: the rows per minibatch, and the number of epochs.
        num_train_samples, num_val_samples: how many rows to draw for each evaluation; None for all.
        checkpoint_name: if given, each evaluation writes the course's ``<checkpoint_name>_epoch_<number>.pkl``, and a
            ``.safetensors`` file, which runs no code when loaded: the parameters and running statistics, with the
            history in the metadata.
        print_every: the number of steps between printed losses.
        verbose: whether to print.

    Raises:
        ArgumentError: if an argument is unknown or out of range.
        DataError: if rows and labels do not match.

    Source: ``solver.py`` of CS231n, which ECE C247 adopted.
    """

    @known_arguments
    def __init__(
        self,
        model: Any,
        data: Mapping[str, AnyArray],
        *,
        optim: ModuleType,
        update_rule: str = "sgd",
        optim_config: dict[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int | None = 1000,
        num_val_samples: int | None = None,
        checkpoint_name: str | None = None,
        print_every: int = 10,
        verbose: bool = True,
    ) -> None:
        rules = [name for name, value in vars(optim).items() if callable(value) and not name.startswith("_")]
        self.update_rule: Any = getattr(optim, check_choice("update_rule", update_rule, rules))
        self.model = checked_model(model)
        if as_dataset(data).X_val is None:  # which also rejects unusable data
            raise ArgumentError("data must have X_val and y_val, as in the course, got neither. Hold out some rows.")
        self.X_train, self.y_train = np.asarray(data["X_train"]), np.asarray(data["y_train"])
        self.X_val, self.y_val = np.asarray(data["X_val"]), np.asarray(data["y_val"])
        self.optim_config: dict[str, Any] = {} if optim_config is None else optim_config
        if "learning_rate" in self.optim_config:
            check_number("learning_rate", self.optim_config["learning_rate"])
        self.lr_decay = check_number("lr_decay", lr_decay, "factor")
        self.batch_size = check_number("batch_size", batch_size)
        self.num_epochs = check_number("num_epochs", num_epochs, "epochs")
        self.num_train_samples = checked_limit("num_train_samples", num_train_samples)
        self.num_val_samples = checked_limit("num_val_samples", num_val_samples)
        self.checkpoint_name, self.verbose = checkpoint_name, verbose
        self.print_every = check_number("print_every", print_every)
        self._training = {"training": True} if isinstance(model, FullyConnectedNet) else {}
        self._reset()

    def _reset(self) -> None:
        """Reset all training state except the model itself."""
        self.epoch, self.best_val_acc = 0, 0.0
        self.best_params: dict[str, AnyArray] = {}
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.optim_configs: dict[str, dict[str, Any]] = {
            name: {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in given.items()}
            for name, given in ((name, self.optim_config) for name in self.model.params)
        }
        self._best: Any = None
        self._flat: dict[Any, Any] = {}  # for our own rules: they update large arrays in pieces

    def _step(self) -> None:
        """Take one training step."""
        rows = np.random.choice(len(self.X_train), self.batch_size)
        loss, gradients = loss_and_gradients(self.model.loss(self.X_train[rows], self.y_train[rows], **self._training))
        self.loss_history.append(loss)
        for name, w in list(self.model.params.items()):
            dw = checked_gradient(name, w, gradients)
            self.model.params[name], self.optim_configs[name] = self._updated(name, w, dw)

    def _updated(self, name: str, w: FloatArray, dw: FloatArray) -> Any:
        """The next w, and the config for the step after."""
        config = self.optim_configs[name]
        if hasattr(self.update_rule, "in_place"):
            return self.update_rule.in_place(w, dw, config, self._flat.setdefault(name, {}))
        rule = CallableRule(self.update_rule, config)
        return rule(w, dw, {}), rule.config

    def train(self) -> None:
        """Train; the history is in ``loss_history``, ``train_acc_history`` and ``val_acc_history``."""
        steps_per_epoch = max(len(self.X_train) // self.batch_size, 1)
        steps = self.num_epochs * steps_per_epoch
        with compilation_announced(print) if self.verbose else nullcontext():
            for step in range(1, steps + 1):
                self._step()
                if self.verbose and (step - 1) % self.print_every == 0:
                    print(f"(Iteration {step} / {steps}) loss: {self.loss_history[-1]:f}")
                if step % steps_per_epoch == 0:
                    self._end_epoch()
                if step % steps_per_epoch == 0 or step == 1:
                    self._evaluate()
        if self._best is not None:
            restore(self.model, self._best)

    def _end_epoch(self) -> None:
        self.epoch += 1
        for config in self.optim_configs.values():
            if "learning_rate" in config:
                config["learning_rate"] *= self.lr_decay

    def _evaluate(self) -> None:
        train = self.check_accuracy(self.X_train, self.y_train, num_samples=self.num_train_samples)
        val = self.check_accuracy(self.X_val, self.y_val, num_samples=self.num_val_samples)
        self.train_acc_history.append(train)
        self.val_acc_history.append(val)
        self._save_checkpoint()
        if self.verbose:
            print(f"(Epoch {self.epoch} / {self.num_epochs}) train acc: {train:f}; val_acc: {val:f}")
        if val > self.best_val_acc:
            self.best_val_acc, self._best = val, snapshot(self.model)
            self.best_params = dict(self._best["params"])

    def check_accuracy(self, X: AnyArray, y: AnyArray, num_samples: int | None = None, batch_size: int = 100) -> float:
        """The accuracy on `num_samples` rows, drawn with replacement, or on all rows by default."""
        if num_samples is not None and len(X) > num_samples:
            rows = np.random.choice(len(X), num_samples)
            X, y = X[rows], y[rows]
        starts = range(0, len(X), batch_size)
        labels = [np.argmax(self.model.loss(X[start : start + batch_size]), axis=1) for start in starts]
        return float(np.mean(np.concatenate(labels) == y))

    def _save_checkpoint(self) -> None:
        from safetensors.numpy import save

        if self.checkpoint_name is None:
            return
        path = Path(f"{self.checkpoint_name}_epoch_{self.epoch}.pkl")
        if self.verbose:
            print(f'Saving checkpoint to "{path}"')
        kept = {name: getattr(self, name) for name in ("model", *SETTINGS, *HISTORIES)}
        try:
            write_atomically(path, pickle.dumps(kept))
        except (pickle.PicklingError, AttributeError, TypeError) as error:  # it must not end the training
            warnings.warn(
                f"{path} must hold the model and the rule, got one that cannot be pickled ({error}), so it is not "
                f"written. Define both at the top level of a module or cell; the .safetensors file has the arrays.",
                stacklevel=2,
            )
        arrays = {name: np.ascontiguousarray(array) for name, array in self.model.params.items()}
        for i, param in enumerate(getattr(self.model, "bn_params", []), start=1):
            running = {key: param[key] for key in ("running_mean", "running_var") if key in param}
            arrays |= {f"{key}{i}": np.ascontiguousarray(array) for key, array in running.items()}
        history = json.dumps({name: kept[name] for name in HISTORIES})
        write_atomically(path.with_suffix(".safetensors"), save(arrays, {"history": history}))
