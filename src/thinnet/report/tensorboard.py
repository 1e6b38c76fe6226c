"""Event files for TensorBoard, without TensorFlow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinnet.callbacks import Callback
from thinnet.errors import require

if TYPE_CHECKING:
    from thinnet.training.state import TrainingState

SUFFIX = ".thinnet"  # distinguishes our event files from others
EVALUATED = ("train_accuracy", "val_accuracy")


class TensorBoard(Callback):
    """Write the loss of each step and the accuracies of each evaluation as training goes on.

    A resumed run removes its old event file and writes its whole history again, since a killed process leaves some
    steps unwritten, and others will be repeated.

    Args:
        folder: the folder for the event file, for this run only; view it with ``tensorboard --logdir FOLDER``.

    Raises:
        MissingExtraError: if tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._module = require("tensorboardX", extra="tensorboard", purpose="writing event files")
        self.folder = folder
        self._writer: Any = None

    def on_train_begin(self, state: TrainingState) -> None:
        former = list(self.folder.glob(f"events.out.tfevents.*{SUFFIX}"))
        for path in former:
            path.unlink(missing_ok=True)
        # Makes a TensorBoard that is open on the folder discard all that it has read, from step 0 on.
        purge = 0 if former else None
        self._writer = self._module.SummaryWriter(str(self.folder), purge_step=purge, filename_suffix=SUFFIX)
        self._write_past(state)

    def _write_past(self, state: TrainingState) -> None:
        """Write the recorded history; the time of each step is interpolated between evaluations."""
        history = state.history
        if not history.seconds:
            return
        evaluated = [max(1, epoch * state.steps_per_epoch) for epoch in history.epoch]
        began = time.time() - history.seconds[-1]
        steps = range(1, len(history.loss) + 1)
        taken = np.interp(steps, evaluated, history.seconds).tolist()
        for step, loss, seconds in zip(steps, history.loss, taken, strict=True):
            self._writer.add_scalar("loss", loss, step, walltime=began + seconds)
        for name in EVALUATED:
            for step, value, seconds in zip(evaluated, getattr(history, name), history.seconds, strict=False):
                self._writer.add_scalar(name, value, step, walltime=began + seconds)

    def on_step(self, state: TrainingState) -> None:
        self._writer.add_scalar("loss", state.history.loss[-1], state.iteration)

    def on_epoch(self, state: TrainingState) -> None:
        for name in EVALUATED:
            values = getattr(state.history, name)
            if values:
                self._writer.add_scalar(name, values[-1], state.iteration)

    def on_train_end(self, state: TrainingState) -> None:
        self._writer.close()
