"""Solver: combines a net, its data and the training settings; the loop itself is in `thinnet.training.loop`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from thinnet import defaults
from thinnet.arguments import known_arguments
from thinnet.callbacks import Callback, ProgressBar, all_callbacks
from thinnet.checks import check_choice, check_number, check_path
from thinnet.data.batches import BatchOrder, Sampling
from thinnet.data.dataset import Dataset
from thinnet.distributed.exchange import BATCH_STATISTICS, BatchStatistics
from thinnet.distributed.launch import warn_if_alone
from thinnet.distributed.preparation import num_train, share_of
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError, NumericalError, on_all_processes
from thinnet.history import History
from thinnet.nets import FullyConnectedNet
from thinnet.optim import Config, FlatOptimizer, Rule, optimizer_options_of
from thinnet.schedules import Schedule, schedules_of
from thinnet.spec import PRECISIONS, Precision
from thinnet.training.averaging import WeightAverage
from thinnet.training.choose import check_ours, update_of
from thinnet.training.compilation import compilation_announced
from thinnet.training.evaluation import Evaluation, evaluate, measure_of
from thinnet.training.evaluator import checked_limit, record, sampled_rows
from thinnet.training.fit import as_dataset, check_fit, checked_seed, fewest_rows
from thinnet.training.interrupts import agreed
from thinnet.training.loop import Loop
from thinnet.training.model_update import checked_model
from thinnet.training.net_update import NetUpdate
from thinnet.training.progress import Progress
from thinnet.training.state import TrainingState
from thinnet.training.weights import KeptWeights, make_writable
from thinnet.typing import AnyArray, IntArray

if TYPE_CHECKING:
    from thinnet.storage.checkpoint import Run
    from thinnet.training.saving import Saving


class Solver(Progress):
    """Train a net on a data set by minibatches, and keep the weights that do best on the validation rows.

    Args:
        model: a `FullyConnectedNet`, or any object with a mapping ``params`` and a method ``loss`` that returns
            ``(loss, gradients)`` for ``loss(X, y)`` and scores for ``loss(X)``.
        data: a `Dataset`, or a dict with the keys X_train, y_train and, for evaluation, X_val, y_val.
        optimizer: a name in `thinnet.optim.OPTIMIZERS`, or a function ``(w, dw, config) -> (w, config)``.
        learning_rate: the optimizer's step size; None for its default.
        optimizer_options: its other hyperparameters, such as ``{"weight_decay": 0.01}``.
        schedule: how the learning rate changes: a name in `thinnet.schedules.SCHEDULES`, or an object from that module.
        weight_decay_schedule: the same for the λ of an optimizer with weight decay; None keeps λ constant.  A step
            decays weights by the scheduled learning rate times the scheduled λ, so with a constant λ the decay
            follows the learning rate.
        epochs: passes over the training rows. In each pass every row is used exactly once, in
            ⌈N / batch_size⌉ minibatches of nearly equal size; see `thinnet.data.batches.BatchOrder`, also for the only
            exception, a minibatch of 3 rows with batch_size 2.
        batch_size: the maximum number of rows in a minibatch, at least 2 with batch normalization; if there are fewer
            rows, all of them.
        patience: stop when validation accuracy has not risen for this many epochs.
        eval_train_rows: how many training rows, sampled once, to evaluate on after each epoch; None for all.
        eval_val_rows: the same for the validation rows.
        print_every: steps between printed losses.
        verbose: whether to print.
        progress: whether to show a progress bar; by default in terminals only.
        seed: fixes the order of the batches; by default the model's own seed, or a fresh one.
        sampling: ``"epoch"`` or ``"replacement"``; see `thinnet.data.batches.BatchOrder`.
        callbacks: `thinnet.callbacks.Callback` objects.
        checkpoint_dir: a folder for checkpoints, from which `Solver.resume` continues bit for bit.  Only for a
            `FullyConnectedNet` with a named optimizer and a schedule from `thinnet.schedules`.  With it, Ctrl-C or
            SIGTERM ends training after the current step with everything saved; a second one ends it at once.
        checkpoint_every: steps between checkpoints; by default an epoch.  A final one is written at the end.
        communicator: an mpi4py communicator, such as ``MPI.COMM_WORLD``, to train one net in all of its processes;
            each makes the same solver and trains.  Only for a `FullyConnectedNet` with a named optimizer.  Up to
            rounding, the result does not depend on the number of processes.  Only rank 0 prints, calls the callbacks
            and writes.  `data` may be each process's share (`Dataset.shared`) or, on every process, the whole.
        batch_statistics: with several processes, whether batch normalization uses the mean and variance of the whole
            minibatch, ``"global"``, or of each process's rows, ``"local"``, which sends fewer messages but makes
            results depend on the number of processes.
        precision: ``"bfloat16"`` to train a net in mixed precision even if it was not built for it; None for the
            net's own precision.  See `FullyConnectedNet`.
        mixup: mix each row of a minibatch, and its target, with another row's, by a share drawn in each step from
            Beta(mixup, mixup); 0 for none.  The recorded losses are then those of mixed rows.  Not with the loss
            "svm", and only in one process; see `thinnet.data.mixup.MixedRows`.
        ema_decay: decay of an exponential moving average of the weights, which is evaluated, and kept at the end,
            instead of the weights themselves; 0.999 is usual.  Running statistics are averaged too.  Callbacks see the
            weights being trained, and an interrupted net is left with them.  Only for a `FullyConnectedNet`; see
            `thinnet.training.averaging.WeightAverage`, also for its cost per step.

    Attributes:
        state: the `thinnet.training.state.TrainingState` that callbacks receive.
        history: the `History` of losses and accuracies.
        iteration: how many steps have been taken.
        best_val_accuracy: the best validation accuracy so far; 0 before there is one.
        best: a copy of the parameters and running statistics that reached this accuracy, or None.
        stop_reason: why training ended before its last step, or None.

    Raises:
        ArgumentError: if an argument is unknown, outside its limits, or does not fit the others.
        CheckpointError: if `checkpoint_dir` cannot be written, or has another run.

    >>> from thinnet.nets import FullyConnectedNet
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    >>> data = Dataset(X, (X[:, 0] > 0).astype(int), X[:50], (X[:50, 0] > 0).astype(int))
    >>> net = FullyConnectedNet([16], input_dim=5, num_classes=2, seed=0)
    >>> solver = Solver(net, data, learning_rate=0.01, batch_size=20, verbose=False)
    >>> history = solver.train()
    >>> history.val_accuracy[-1] > 0.9
    True
    >>> solver
    <Solver of FullyConnectedNet 5-16-2: step 100 of 100>
    """

    _started, _resumed = 0.0, False

    @known_arguments
    def __init__(
        self,
        model: Any,
        data: Dataset | Mapping[str, AnyArray],
        *,
        optimizer: str | Rule = defaults.OPTIMIZER,
        learning_rate: float | None = defaults.LEARNING_RATE,
        optimizer_options: Config | None = None,
        schedule: str | Schedule | None = None,
        weight_decay_schedule: str | Schedule | None = None,
        epochs: int = defaults.EPOCHS,
        batch_size: int = defaults.BATCH_SIZE,
        patience: int | None = None,
        eval_train_rows: int | None = 1000,
        eval_val_rows: int | None = None,
        print_every: int = 10,
        verbose: bool = True,
        progress: bool | None = None,
        seed: int | None = None,
        sampling: Sampling = "epoch",
        callbacks: Iterable[Callback] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        communicator: Any = None,
        batch_statistics: BatchStatistics = "global",
        precision: Precision | None = None,
        mixup: float = 0.0,
        ema_decay: float | None = None,
    ) -> None:
        warn_if_alone(communicator)
        self.processes = ProcessGroup(communicator)
        self.model = checked_model(model)
        make_writable(self.model)
        data = self._data_as_given = share_of(as_dataset(data), self.processes)
        self.print_every = check_number("print_every", print_every)
        self.verbose = verbose and self.processes.rank == 0
        self.seed = checked_seed(seed, self.model, self.processes)
        num_rows = num_train(data, self.processes)
        self.order = BatchOrder(num_rows, batch_size, self.seed, sampling, fewest=fewest_rows(model))
        limits = {"train": eval_train_rows, "val": eval_val_rows}
        self.eval_rows = {split: checked_limit(f"eval_{split}_rows", rows) for split, rows in limits.items()}
        fitting = isinstance(model, FullyConnectedNet)
        self.data = check_fit(model, data, self.order.batch_size) if fitting else data
        self.batch_statistics: BatchStatistics = check_choice("batch_statistics", batch_statistics, BATCH_STATISTICS)
        options = optimizer_options_of(optimizer, learning_rate, optimizer_options)
        self.schedules = schedules_of(options, schedule, weight_decay_schedule)
        self.precision: Precision | None = check_choice("precision", precision, PRECISIONS)
        self.mixup = float(check_number("mixup", mixup))
        check_ours(self.model, optimizer, ema_decay=ema_decay, checkpoint_dir=checkpoint_dir)
        given = self.model, self.data, self.order, optimizer, options, self.processes, self.batch_statistics
        self._update = update_of(*given, self.precision, self.mixup)
        self.state = self._fresh_state(check_number("epochs", epochs), ema_decay)
        self._loop = Loop(self.state, self._update, self.order.rows, self.schedules)
        self.patience = checked_limit("patience", patience)
        self._validates = self.data.total_rows("val") > 0
        shown = defaults.progress() if progress is None else progress
        self._bar = ProgressBar() if shown and self.processes.rank == 0 else None
        own = all_callbacks(callbacks, self.patience, self._bar, has_validation=self._validates)
        self.callbacks = own if self.processes.rank == 0 else []  # only rank 0 calls callbacks
        self._saving = self._make_saving(checkpoint_dir, checkpoint_every)

    def _fresh_state(self, epochs: int, ema_decay: float | None) -> TrainingState:
        steps = self.order.steps_per_epoch
        weights, measure = KeptWeights(self.model), measure_of(self.model, self.data)
        decay = float(check_number("ema_decay", 0 if ema_decay is None else ema_decay))
        average = WeightAverage(self.model, decay, self._update.team) if decay else None
        return TrainingState(self.model, steps, epochs * steps, weights, measure, average=average)

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
        """A solver that continues from the newest checkpoint in a folder; call its ``train()``.

        Losses, accuracies and weights are then bit for bit those of an uninterrupted run; with a different number of
        processes, they agree up to rounding.

        Args:
            checkpoint_dir: the folder that the run was given.
            data: the same data as before.
            model: the net to continue with, whose weights are replaced; by default one is built like the first.
            communicator: as for the solver; the number of processes may differ from before.
            changes: any of verbose, progress, print_every, callbacks, checkpoint_every and epochs, to replace the
                run's settings; epochs counts those of the whole run.

        Raises:
            CheckpointError: if there is no checkpoint, it is damaged, or it belongs to different data or another net.
            ArgumentError: if `changes` has anything else.
        """
        from thinnet.nets.saving import readable_contents
        from thinnet.storage.checkpoint import restore
        from thinnet.training.resuming import check_not_fewer, interrupted_run

        folder, processes = check_path("checkpoint_dir", checkpoint_dir), ProcessGroup(communicator)
        contents, net, data, options = interrupted_run(folder, as_dataset(data), model, processes, changes)
        with readable_contents("the checkpoint"):
            every = check_number("checkpoint_every", options.pop("checkpoint_every"))
            solver = cls(model or net, data, communicator=communicator, **options)
        restore(contents, solver._run())
        check_not_fewer(solver.state, changes)
        solver._saving = solver._make_saving(folder, every, resumed=True)
        solver._resumed = True
        if model is not None:  # only now, so that its weights do not change if anything above raises
            model.state.assign(net.state)
            model.fused = net.fused
        return solver

    def _make_saving(self, folder: Any, every: int | None, resumed: bool = False) -> Saving | None:
        if folder is None:
            if every is None:
                return None
            raise ArgumentError(
                f"checkpoint_every must be None without checkpoint_dir, got {every}. Give checkpoint_dir too."
            )
        from thinnet.training.saving import Saving  # slow to import

        return Saving(self._run(), check_path("checkpoint_dir", folder), every, self.processes, resumed)

    @property
    def fingerprint(self) -> dict[str, str]:
        """The hashes of the data, if checkpoints are written."""
        return {} if self._saving is None else self._saving.run.fingerprint

    def _run(self) -> Run:
        """The contents of a checkpoint."""
        from thinnet.storage.checkpoint import Run, check_schedules

        check_schedules(self.schedules)
        fingerprint = self._data_as_given.fingerprint(gather=self.processes.gather)
        return Run(self.model, self.optimizer, self.state, self.options, self.schedules, fingerprint)

    @property
    def optimizer(self) -> FlatOptimizer:
        """The optimizer, if it is a named one and the model is a `FullyConnectedNet`."""
        assert isinstance(self._update, NetUpdate)
        return self._update.optimizer

    @property
    def options(self) -> dict[str, Any]:
        """The training settings as JSON values, without the schedules."""
        hyperparameters = dict(self.optimizer.options)
        return {
            "optimizer": self.optimizer.name,
            "learning_rate": hyperparameters.pop("learning_rate"),
            "optimizer_options": hyperparameters,
            "epochs": self.state.epochs,
            "batch_size": self.order.batch_size,
            "patience": self.patience,
            "eval_train_rows": self.eval_rows["train"],
            "eval_val_rows": self.eval_rows["val"],
            "print_every": self.print_every,
            "verbose": bool(self.verbose),
            "seed": self.seed,
            "sampling": self.order.sampling,
            "batch_statistics": self.batch_statistics,
            "precision": self.precision,
            "mixup": self.mixup,
            "ema_decay": None if self.state.average is None else self.state.average.decay,
        }

    def train(self, epochs: int | None = None) -> History:
        """Take the remaining steps, evaluate after each epoch, and end with the best weights in the model.

        Args:
            epochs: train for this many epochs more than the solver was made for.  The schedule then spans all of
                them.

        Returns:
            The `History`, which is also kept in `history`.

        Raises:
            ArgumentError: if training is finished and `epochs` is not given.
            NumericalError: if a loss or a gradient becomes NaN or infinite; the model then has the last good weights.
            CheckpointError: if a checkpoint cannot be written, or another run is writing to the folder.
            KeyboardInterrupt: after Ctrl-C, if there is a checkpoint_dir.
            thinnet.training.interrupts.Terminated: a SystemExit of status 143, after SIGTERM, under the same condition.
        """
        state = self.state
        if epochs is not None:
            state.total_steps += check_number("epochs", epochs) * state.steps_per_epoch
        elif state.iteration >= state.total_steps and not self._resumed:
            raise ArgumentError(
                f"epochs must be given to train beyond the end, got None: all {state.epochs} epochs are "
                f"done. Write train(epochs=10) for ten more, or make a new solver."
            )
        with nullcontext() if self._saving is None else self._saving.held():
            return self._train()

    def _train(self) -> History:
        state = self.state
        self._started = time.perf_counter() - (self.history.seconds[-1] if self.history.seconds else 0)
        if not self._resumed:  # a run that was stopped stays stopped when it is resumed
            state.stop_reason = None
        self._resumed = False
        make_writable(self.model)
        state.weights.keep_first()
        self._call("on_train_begin")
        try:
            with compilation_announced(self._say) if self.verbose else nullcontext():
                self._loop.run(self.step, self._after_step)
        except NumericalError as error:
            if state.average is not None:  # it may not be finite either
                state.average.count = 0
            if not state.weights.restored_if_wrong():
                raise
            text = f"{error} Those were not finite either, so it now has the last good ones."
            raise on_all_processes(NumericalError(text)) from error
        finally:
            self._call("on_train_end")
        if state.average is not None:
            state.average.finish()
        state.weights.restore_best()
        return self.history

    def _after_step(self, loss: float) -> None:
        state = self.state
        if self.verbose and (state.iteration - 1) % self.print_every == 0:
            self._say(f"(Iteration {state.iteration} / {state.total_steps}) loss: {loss:f}")
        self._call("on_step")
        if state.iteration == 1 or state.at_epoch_end:
            self._evaluate()
            self._call("on_epoch")
        if self._saving is None:
            agreed(state, self.processes)
        else:
            self._saving.after_step()

    def _evaluate(self) -> None:
        with nullcontext() if self.state.average is None else self.state.average.shown():
            report = record(self.state, self.evaluate, self._started, self.processes, self._validates)
        if self.verbose:
            self._say(report)

    def step(self) -> float:
        """Take one training step and return its loss."""
        return self._loop.step()

    def evaluate(self, split: str) -> Evaluation:
        """The accuracy (R² if the targets are values) and the loss on a split's sampled rows."""
        if not self.data.total_rows(split):
            self.data.labels(split)  # raises an error that says so
        return evaluate(self.model, self.data, split, self._rows_to_evaluate(split), self.processes)

    def accuracy(self, split: str) -> float:
        """Only the accuracy."""
        return self.evaluate(split).accuracy

    def _rows_to_evaluate(self, split: str) -> IntArray:
        return sampled_rows(self.data.total_rows(split), self.eval_rows.get(split), self.seed, split)

    def _call(self, moment: str) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self.state)

    def _say(self, text: str) -> None:
        self._bar.write(text) if self._bar else print(text)
