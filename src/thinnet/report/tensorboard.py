"""Event files for TensorBoard, without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from thinnet.callbacks import Callback
from thinnet.errors import require

if TYPE_CHECKING:
    from thinnet.solver import Solver


class TensorBoard(Callback):
    """Write the loss of each step and the accuracies of each evaluation as they come.

    Args:
        folder: gets the event files; show them by ``tensorboard --logdir FOLDER``.

    Raises:
        MissingExtraError: if tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._module = require("tensorboardX", extra="tensorboard", purpose="writing event files")
        self.folder = folder
        self._writer: Any = None

    def on_train_begin(self, solver: Solver) -> None:
        # Steps that an interrupted run had written and takes again are to be forgotten.
        self._writer = self._module.SummaryWriter(str(self.folder), purge_step=solver.iteration or None)

    def on_step(self, solver: Solver) -> None:
        self._writer.add_scalar("loss", solver.history.loss[-1], solver.iteration)

    def on_epoch(self, solver: Solver) -> None:
        for name in ("train_accuracy", "val_accuracy"):
            values = getattr(solver.history, name)
            if values:
                self._writer.add_scalar(name, values[-1], solver.iteration)

    def on_train_end(self, solver: Solver) -> None:
        self._writer.close()
