"""Solver: the training loop, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinnet.callbacks import Callback, EarlyStopping, ProgressBar, checked_callbacks
from thinnet.checks import check_choice, check_keys, check_number, check_path
from thinnet.data.batches import BatchOrder, Sampling
from thinnet.data.dataset import Dataset
from thinnet.errors import ArgumentError, NumericalError
from thinnet.history import History
from thinnet.masks import fresh_seed
from thinnet.nets import FullyConnectedNet
from thinnet.optim import Config, FlatOptimizer, Rule
from thinnet.parallel import BATCH_STATISTICS, BatchStatistics, Ranks, on_all_ranks, started_several
from thinnet.schedules import Constant, EpochDecay, Schedule
from thinnet.training.evaluation import accuracy
from thinnet.training.fit import check_fit, check_parallel
from thinnet.training.interrupts import DelayedInterrupt, ended_by
from thinnet.training.updates import ModelUpdate, NetUpdate, checked_model
from thinnet.training.weights import SoundWeights, largest, restore, snapshot
from thinnet.typing import AnyArray, IntArray

if TYPE_CHECKING:
    from thinnet.storage.checkpoint import Checkpoints

CHANGEABLE = ("verbose", "progress", "print_every", "callbacks", "checkpoint_every", "num_epochs")
EVALUATION_STREAM = 1  # keeps the rows sampled for evaluation apart from the order of the batches


class Solver:
    """Train a net on a data set by minibatches, and keep the weights that did best on the validation rows.

    Args:
        model: a `FullyConnectedNet`, or any object with a mapping ``params`` and a method ``loss`` that gives
            ``(loss, gradients)`` for ``loss(X, y)`` and scores for ``loss(X)``.
        data: a `Dataset`, or a dict with the keys X_train, y_train and, for evaluation, X_val, y_val.
        update_rule: a name in `thinnet.optim.OPTIMIZERS`, or a function ``(w, dw, config) -> (w, config)``.
        optim_config: the rule's hyperparameters, such as ``{"learning_rate": 1e-3}``.
        lr_decay: the factor of the learning rate after each epoch; instead of `schedule`.
        batch_size: rows in a minibatch, at least 2 with batch normalization; all rows where there are fewer. The rows
            that are left over at the end of an epoch sit it out.
        num_epochs: how often the data set is gone through.
        num_train_samples: how many training rows, drawn once, to evaluate on after each epoch; None for all.
        num_val_samples: the same for the validation rows.
        print_every: steps between two printed losses.
        verbose: whether to print.
        seed: fixes the order of the batches; by default the model's own seed, or a fresh one.
        sampling: ``"epoch"`` or ``"replacement"``; see `thinnet.data.batches.BatchOrder`.
        schedule: the factor of the learning rate in each step; see `thinnet.schedules`.
        callbacks: `thinnet.callbacks.Callback` objects.
        progress: whether to show a bar; by default in terminals only.
        patience: stop when validation accuracy has not risen for so many epochs.
        checkpoint_dir: a folder for checkpoints, from which `Solver.resume` goes on bit for bit.  Only for a
            `FullyConnectedNet` with a named rule and a schedule of `thinnet.schedules`.  With it, Ctrl-C or SIGTERM
            ends training after the current step with everything saved; a second one ends it at once.
        checkpoint_every: steps between two checkpoints; by default an epoch.  One more is written at the end.
        communicator: of mpi4py, such as ``MPI.COMM_WORLD``, to train one net in all of its processes; each of them
            makes the same solver and trains.  Only for a `FullyConnectedNet` with a named rule.  What comes of it does
            not depend on how many there are, but for rounding.  The process of rank 0 alone prints, calls the
            callbacks and writes.  `data` may be the process's share (`Dataset.shared`) or, on all of them, the whole.
        batch_statistics: in several processes, whether batch normalization uses the mean and the variance of the
            whole minibatch, ``"global"``, or of the rows that each process has of it, ``"local"``: fewer messages, and
            results that depend on the number of processes.

    Attributes:
        history: the `History` of losses and accuracies.
        iteration: how many steps were taken.
        best_val_acc: the best validation accuracy so far.
        best: a copy of the parameters and running statistics that reached it, or None.
        stop_reason: why training ended before its last step, or None.

    Raises:
        ArgumentError: if an argument is outside its limits or does not fit the others.
        CheckpointError: if `checkpoint_dir` cannot be written, or holds another run.

    >>> from thinnet.nets import FullyConnectedNet
    >>> X = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    >>> data = Dataset(X, (X[:, 0] > 0).astype(int), X[:50], (X[:50, 0] > 0).astype(int))
    >>> net = FullyConnectedNet([16], input_dim=5, num_classes=2, weight_scale="he", seed=0)
    >>> config = {"learning_rate": 0.01}
    >>> solver = Solver(net, data, update_rule="adam", optim_config=config, batch_size=20, verbose=False)
    >>> history = solver.train()
    >>> history.val_accuracy[-1] > 0.9
    True
    >>> solver
    <Solver of <FullyConnectedNet 5-16-2: dropout 0, normalization None, 130 parameters of float32>: step 100 of 100>
    """

    _stops_at_nan = True

    def __init__(
        self,
        model: Any,
        data: Dataset | Mapping[str, AnyArray],
        *,
        update_rule: str | Rule = "sgd",
        optim_config: Config | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int | None = 1000,
        num_val_samples: int | None = None,
        print_every: int = 10,
        verbose: bool = True,
        seed: int | None = None,
        sampling: Sampling = "epoch",
        schedule: Schedule | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool | None = None,
        patience: int | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        communicator: Any = None,
        batch_statistics: BatchStatistics = "global",
    ) -> None:
        if communicator is None and started_several():
            warnings.warn(
                "Several processes were started by mpiexec, and each trains a net of its own. To train one net in all "
                "of them, give the solver communicator=MPI.COMM_WORLD.",
                stacklevel=2,
            )
        self.ranks, self._communicator = Ranks(communicator), communicator
        self.model = checked_model(model)
        self.data = _share(data if isinstance(data, Dataset) else Dataset.from_dict(data), self.ranks)
        self.schedule = _one_schedule(schedule, lr_decay)
        self.num_epochs: int = check_number("num_epochs", num_epochs)
        self.print_every = check_number("print_every", print_every)
        self.verbose = verbose and self.ranks.rank == 0
        if seed is None:
            seed = self.ranks.from_first(getattr(model, "seed", None))
        self.seed = check_number("seed", self.ranks.from_first(fresh_seed()) if seed is None else seed)
        self.order = BatchOrder(self._num_train(), batch_size, self.seed, sampling)
        self.num_samples = {
            "train": _limit("num_train_samples", num_train_samples),
            "val": _limit("num_val_samples", num_val_samples),
        }
        if isinstance(model, FullyConnectedNet):
            check_fit(model, self.data, self.order.batch_size)
        self.batch_statistics: BatchStatistics = check_choice("batch_statistics", batch_statistics, BATCH_STATISTICS)
        self._update = self._make_update(update_rule, optim_config)
        self.history = History()
        self.iteration = 0
        self.best_val_acc = 0.0
        self.stop_reason: str | None = None
        self.best: Any = None
        self._sound = SoundWeights(self.model, self._update.check_finite)
        self._started = 0.0
        shown = self.ranks.rank == 0 and (sys.stderr.isatty() if progress is None else progress)
        self._bar = ProgressBar() if shown else None
        self.patience = _limit("patience", patience)
        self.callbacks = self._all_callbacks(callbacks)
        self._resumed = False
        self._checkpoints: Checkpoints | None = None  # of rank 0
        self._checkpoint_every: int | None = None
        if checkpoint_dir is not None:
            self._prepare_checkpoints(check_path("checkpoint_dir", checkpoint_dir), checkpoint_every)
        elif checkpoint_every is not None:
            raise ArgumentError(
                "checkpoint_every must be None without checkpoint_dir, got a number. Give a folder too."
            )

    def _make_update(self, rule: str | Rule, optim_config: Config | None) -> NetUpdate | ModelUpdate:
        """What one step does to the model."""
        net, batch_size, ranks = self.model, self.order.batch_size, self.ranks
        if isinstance(net, FullyConnectedNet) and isinstance(rule, str):
            if ranks.size > 1:
                check_parallel(net, batch_size, ranks, self.batch_statistics)
                _make_equal(net, ranks)
            return NetUpdate(net, self.data, batch_size, rule, optim_config, ranks, self.batch_statistics)
        if ranks.size > 1:
            raise ArgumentError(
                "communicator must be None unless the model is a FullyConnectedNet and update_rule a name, got one of "
                f"{ranks.size} processes. Train such a net, or train in one process."
            )
        return ModelUpdate(net, self.data, rule, optim_config, self._stops_at_nan)

    def _all_callbacks(self, callbacks: Iterable[Callback]) -> list[Callback]:
        """What is called beside training: what the user gave, and what other arguments ask for; on rank 0 only."""
        called = checked_callbacks(callbacks)
        if self.patience is not None:
            if not self.data.total_rows("val"):
                raise ArgumentError("patience must be None without validation rows, got a number. Give X_val.")
            called.append(EarlyStopping(self.patience))
        if self._bar:
            called.append(self._bar)
        return called if self.ranks.rank == 0 else []

    @classmethod
    def resume(
        cls,
        checkpoint_dir: str | os.PathLike[str],
        data: Dataset | Mapping[str, AnyArray],
        *,
        model: FullyConnectedNet | None = None,
        communicator: Any = None,
        **changes: Any,
    ) -> Solver:
        """A solver that goes on where the newest checkpoint of a folder was written; call ``train()`` on it.

        Losses, accuracies and weights are then, to the last bit, those of the run as if it had never been interrupted;
        on another number of processes than before, to rounding.

        Args:
            checkpoint_dir: the folder that the run was given.
            data: the same data as before.
            model: the net to train on with, whose weights are replaced; by default one is built as it was.
            communicator: as for the solver; there may be another number of processes than before.
            changes: any of verbose, progress, print_every, callbacks, checkpoint_every and num_epochs, in place of
                what the run had.

        Raises:
            CheckpointError: if there is no checkpoint, it is damaged, or it belongs to other data or another net.
            ArgumentError: if something else is to be changed.
        """
        from thinnet.nets.saving import understood
        from thinnet.storage import checkpoint

        check_keys("changes", changes, CHANGEABLE)
        folder, ranks = check_path("checkpoint_dir", checkpoint_dir), Ranks(communicator)
        sealed = ranks.from_first(checkpoint.newest(folder) if ranks.rank == 0 else None)
        assert sealed is not None
        net = checkpoint.net_of(sealed)
        if model is not None:
            checkpoint.check_net(sealed, model)
        dataset = _share(data if isinstance(data, Dataset) else Dataset.from_dict(data), ranks)
        fingerprint = dataset.fingerprint(communicator=communicator)
        checkpoint.check_data(sealed, fingerprint)
        for name in {"print_every", "checkpoint_every", "num_epochs"} & set(changes):
            check_number(name, changes[name])
        changes["callbacks"] = checked_callbacks(changes.get("callbacks", ()))
        options = {**checkpoint.options_of(sealed), **changes}
        with understood("the checkpoint"):
            every = options.pop("checkpoint_every")
            solver = cls(net if model is None else model, dataset, communicator=communicator, **options)
        solver._resumed = True
        solver._prepare_checkpoints(folder, every, fingerprint)
        checkpoint.restore_solver(solver, sealed)
        if solver._checkpoints is not None:
            solver._checkpoints.newest = solver.iteration
        if model is not None:  # only now, so that its weights stay as they are where anything is refused
            model.params, model.step, model.fused = net.params, net.step, net.fused
            model.running.update(net.running)
        return solver

    def _prepare_checkpoints(self, folder: Path, every: int | None, fingerprint: dict[str, str] | None = None) -> None:
        """The folder made ready, and everything collected that will be written but does not change."""
        from thinnet.storage.checkpoint import Checkpoints, schedule_name

        if not isinstance(self._update, NetUpdate):
            raise ArgumentError(
                "checkpoint_dir must be None unless the model is a FullyConnectedNet and update_rule a name, got a "
                "folder. Train such a net, or leave checkpoint_dir out."
            )
        schedule_name(self.schedule)
        self.fingerprint = fingerprint or self.data.fingerprint(communicator=self._communicator)
        every = self.order.steps_per_epoch if every is None else every
        self._checkpoint_every = check_number("checkpoint_every", every)
        if self.ranks.rank == 0:
            self._checkpoints = Checkpoints(folder, self._resumed)

    @property
    def optimizer(self) -> FlatOptimizer:
        """The optimizer of a `FullyConnectedNet` that is trained by a named rule."""
        assert isinstance(self._update, NetUpdate)
        return self._update.optimizer

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that say how training goes, as JSON can hold them; the schedule is apart."""
        return {
            "update_rule": self.optimizer.name,
            "optim_config": self.optimizer.options,
            "batch_size": self.order.batch_size,
            "num_epochs": self.num_epochs,
            "num_train_samples": self.num_samples["train"],
            "num_val_samples": self.num_samples["val"],
            "print_every": self.print_every,
            "verbose": bool(self.verbose),
            "seed": self.seed,
            "sampling": self.order.sampling,
            "patience": self.patience,
            "batch_statistics": self.batch_statistics,
            "checkpoint_every": self._checkpoint_every,
        }

    @property
    def num_iterations(self) -> int:
        """How many steps the whole training takes."""
        return self.num_epochs * self.order.steps_per_epoch

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return self.iteration // self.order.steps_per_epoch

    @property
    def loss_history(self) -> list[float]:
        """The loss of each step, under the courses' name."""
        return self.history.loss

    @property
    def train_acc_history(self) -> list[float]:
        """The training accuracy at each evaluation, under the courses' name."""
        return self.history.train_accuracy

    @property
    def val_acc_history(self) -> list[float]:
        """The validation accuracy at each evaluation, under the courses' name."""
        return self.history.val_accuracy

    def train(self) -> History:
        """Take the steps that are left, evaluate after each epoch, and end with the best weights in the model.

        Returns:
            The `History`, which is also kept in `history`.

        Raises:
            NumericalError: if a loss or a gradient becomes NaN or infinite; the model then has the last good weights.
            CheckpointError: if a checkpoint cannot be written, or another run is writing to the folder.
            KeyboardInterrupt: after Ctrl-C, where there is a checkpoint_dir.
            thinnet.training.interrupts.Terminated: a SystemExit of status 143, after SIGTERM, likewise.
        """
        if self._checkpoint_every is None:
            return self._train()
        held = nullcontext() if self._checkpoints is None else self._checkpoints.held()
        with held, DelayedInterrupt(quiet=self.ranks.rank > 0) as interrupt:
            return self._train(interrupt)

    def _train(self, interrupt: DelayedInterrupt | None = None) -> History:
        self._started = time.perf_counter() - (self.history.seconds[-1] if self.history.seconds else 0)
        if not self._resumed:  # a run that was stopped for a reason stays stopped when it is resumed
            self.stop_reason = None
        self._resumed = False
        self._sound.keep_first()
        self._call("on_train_begin")
        try:
            while self.iteration < self.num_iterations and not self.stop_reason:
                self._step_and_evaluate()
                self._save_if_due(self._agree(0 if interrupt is None else interrupt.asked))
        except NumericalError as error:
            if not self._sound.put_back_if_wrong():
                raise
            text = f"{error} Those are not finite, so it was given the last good ones."
            raise on_all_ranks(NumericalError(text)) from error
        finally:
            self._call("on_train_end")
        if self.best is not None:
            restore(self.model, self.best)
        return self.history

    def _agree(self, asked: int) -> int:
        """The signal that any process got, or 0; a reason to stop that rank 0 has becomes that of all."""
        size = self.ranks.size
        if size == 1:
            return asked
        weight = size + 1 if asked == signal.SIGTERM else asked > 0  # so that the sum tells whether one got SIGTERM
        interruptions, stops = self.ranks.sum(weight, self.stop_reason is not None)
        if stops:
            self.stop_reason = self.ranks.from_first(self.stop_reason)
        return signal.SIGTERM if interruptions > size else signal.SIGINT if interruptions else 0

    def _save_if_due(self, interrupted: int) -> None:
        """Write a checkpoint where it is time, training ends, or a signal asks for it."""
        if self._checkpoint_every is None:
            return
        ending = self.iteration == self.num_iterations or bool(self.stop_reason)
        if not (ending or interrupted or self.iteration % self._checkpoint_every == 0):
            return
        self._sound.check(self.iteration, self.history.loss[-1])
        path = None if self._checkpoints is None else self._checkpoints.save(self)
        if interrupted and not ending:
            saved = f"saved {path} after step {self.iteration} of {self.num_iterations}"
            raise on_all_ranks(ended_by(interrupted, saved))

    def step(self) -> float:
        """Take one training step and return its loss."""
        loss = self._update(self._draw_rows(), self.learning_rate_factor())
        self.history.loss.append(loss)
        self.iteration += 1
        return loss

    def stop(self, reason: str) -> None:
        """Make `train` end after the current step; `reason` is kept in `stop_reason`."""
        self.stop_reason = reason

    def learning_rate_factor(self) -> float:
        """What the schedule multiplies the learning rate by in the coming step."""
        return self.schedule(
            self.iteration, steps_per_epoch=self.order.steps_per_epoch, total_steps=self.num_iterations
        )

    def accuracy(self, split: str) -> float:
        """The fraction of a split's sampled rows that are classified rightly; R² where targets are not labels."""
        if not self.data.total_rows(split):
            self.data.labels(split)  # which says that there are none
        return accuracy(self.model, self.data, split, self._rows_to_evaluate(split), self.ranks)

    def _num_train(self) -> int:
        num_rows, processes = self.data.total_rows("train"), self.ranks.size
        if num_rows < processes:
            wanted = "one training row" if processes == 1 else f"{processes} training rows, one a process"
            fix = "" if processes == 1 else " Start fewer processes."
            raise ArgumentError(f"data must have at least {wanted}, got {num_rows or 'none'}.{fix}")
        return num_rows

    def _draw_rows(self) -> IntArray:
        """The rows of the coming minibatch."""
        return self.order.rows(self.iteration)

    def _rows_to_evaluate(self, split: str) -> IntArray:
        """All rows of a split, or the same sample of them every time."""
        num_rows, limit = self.data.total_rows(split), self.num_samples.get(split)
        if limit is None or limit >= num_rows:
            return np.arange(num_rows)
        generator = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(EVALUATION_STREAM, len(split))))
        return generator.choice(num_rows, limit, replace=False)

    def _step_and_evaluate(self) -> None:
        loss = self.step()
        if self.verbose and (self.iteration - 1) % self.print_every == 0:
            self._say(f"(Iteration {self.iteration} / {self.num_iterations}) loss: {loss:f}")
        self._call("on_step")
        first, last = self.iteration == 1, self.iteration == self.num_iterations
        if first or last or self.iteration % self.order.steps_per_epoch == 0:
            self._evaluate()
            self._call("on_epoch")

    def _evaluate(self) -> None:
        self._sound.check(self.iteration, self.history.loss[-1])
        if self.ranks.size > 1:
            self.ranks.check_equal(self.model.params.flat)
        history = self.history
        history.epoch.append(self.epoch)
        history.train_accuracy.append(self._sound_accuracy("train"))
        report = f"(Epoch {self.epoch} / {self.num_epochs}) train acc: {history.train_accuracy[-1]:f}"
        if self.data.total_rows("val"):
            history.val_accuracy.append(self._sound_accuracy("val"))
            report += f"; val_acc: {history.val_accuracy[-1]:f}"
            if self.best is None or history.val_accuracy[-1] > self.best_val_acc:
                self.best_val_acc = history.val_accuracy[-1]
                self.best = snapshot(self.model)
        self._sound.keep(self.best)
        history.seconds.append(time.perf_counter() - self._started)
        if self.verbose:
            self._say(report)

    def _sound_accuracy(self, split: str) -> float:
        """The accuracy; where no scores can be computed, the last good weights are put back."""
        try:
            return self.accuracy(split)
        except NumericalError as error:
            text = (
                f"After step {self.iteration}, scores became infinite or NaN; the largest weights are those of "
                f"{largest(self.model)}. Likely cause: a learning rate that is too large, or inputs that are not "
                f"standardized. The model was given the last good weights."
            )
            self._sound.put_back()
            raise on_all_ranks(NumericalError(text)) from error

    def __repr__(self) -> str:
        return f"<Solver of {self.model!r}: step {self.iteration:,} of {self.num_iterations:,}>"

    def _call(self, moment: str) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self)

    def _say(self, text: str) -> None:
        self._bar.write(text) if self._bar else print(text)


def _limit(name: str, value: int | None) -> int | None:
    return None if value is None else int(check_number(name, value))


def _one_schedule(schedule: Schedule | None, lr_decay: float) -> Schedule:
    check_number("lr_decay", lr_decay)
    if schedule is not None and lr_decay != 1:
        raise ArgumentError("schedule must be None where lr_decay is given, got both. Give one of the two.")
    if schedule is not None and (isinstance(schedule, type) or not callable(schedule)):
        raise ArgumentError(
            f"schedule must be an object of thinnet.schedules, got {schedule!r}. Write schedules.Cosine(), for example."
        )
    return schedule or (Constant() if lr_decay == 1 else EpochDecay(lr_decay))


def _share(data: Dataset, ranks: Ranks) -> Dataset:
    """A process's share of the data, unless it was given that."""
    return data.shared(ranks.rank, ranks.size) if ranks.size > 1 and data.share is None else data


def _make_equal(net: FullyConnectedNet, ranks: Ranks) -> None:
    """Give all processes the net of rank 0."""
    ranks.inplace_from_first(net.params.flat)
    ranks.inplace_from_first(net.running.flat)
    net.seed, net.step = ranks.from_first((net.seed, net.step))
