"""Callbacks: extra actions during training, such as a progress bar or early stopping."""

import sys
from collections.abc import Iterable
from typing import Any

from thinnet.arguments import instead_of, knows_arguments
from thinnet.bars import bars
from thinnet.checks import check_number, check_takes
from thinnet.errors import ArgumentError
from thinnet.training.state import TrainingState
from thinnet.training.stopping import compared, since_improvement

MOMENTS = ("on_train_begin", "on_step", "on_epoch", "on_train_end")


class Callback:
    """Override the methods that you need. Each receives the `TrainingState`.

    Call ``state.stop(reason)`` to end training after the current step. No other method name may begin with ``on_``.

    >>> class Losses(Callback):
    ...     def on_step(self, state):
    ...         print(state.history.loss[-1])
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in (name for name in vars(cls) if name.startswith("on_") and name not in MOMENTS):
            known, fix = ", ".join(MOMENTS), instead_of(name, MOMENTS)
            raise ArgumentError(f"{cls.__name__} must define moments among {known}, got {name!r}. {fix}")

    def on_train_begin(self, state: TrainingState) -> None:
        """Before the first step of each call to ``train()``."""

    def on_step(self, state: TrainingState) -> None:
        """After each step; its loss has been recorded."""

    def on_epoch(self, state: TrainingState) -> None:
        """After each evaluation: the one after the first step, and one at the end of each epoch."""

    def on_train_end(self, state: TrainingState) -> None:
        """After the last step, even if training was stopped or failed."""


def checked_callbacks(callbacks: Any) -> list[Callback]:
    """The callbacks as a list, or ArgumentError."""
    several = isinstance(callbacks, Iterable) and not isinstance(callbacks, Callback)
    given = list(callbacks) if several else [callbacks]
    wrong = [c for c in given if isinstance(c, type) or not all(hasattr(c, moment) for moment in MOMENTS)]
    if wrong or not several:
        raise ArgumentError(
            f"callbacks must be a list of thinnet.callbacks.Callback objects, got {(wrong or given)[0]!r}. Write "
            f"callbacks=[EarlyStopping(5)], for example."
        )
    for callback in given:
        for moment in MOMENTS:
            check_takes(f"{type(callback).__name__}.{moment}", getattr(callback, moment), f"{moment}(state)", None)
    return given


@knows_arguments
class EarlyStopping(Callback):
    """Stop when validation accuracy has not risen for `patience` epochs.

    Args:
        patience: the number of epochs, at least 1.

    Raises:
        ArgumentError: if `patience` is not a positive whole number.

    >>> EarlyStopping(5).patience
    5
    """

    def __init__(self, patience: int) -> None:
        self.patience = check_number("patience", patience)

    def on_epoch(self, state: TrainingState) -> None:
        if since_improvement(compared(state.history, state.measure)) >= self.patience:
            state.stop(f"validation accuracy has not risen for {self.patience} epochs")


class ProgressBar(Callback):
    """A progress bar on standard error that shows the time left, in terminals and notebooks."""

    _bar: Any = None

    def on_train_begin(self, state: TrainingState) -> None:
        self._bar = bars()(total=state.total_steps, initial=state.iteration, unit="step", file=sys.stderr)

    def on_step(self, state: TrainingState) -> None:
        self._bar.set_postfix(loss=f"{state.history.loss[-1]:.3f}", refresh=False)
        self._bar.update()

    def on_train_end(self, state: TrainingState) -> None:
        self._bar.close()

    def write(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.write(text)


def all_callbacks(
    given: Iterable[Callback], patience: int | None, bar: ProgressBar | None, *, has_validation: bool
) -> list[Callback]:
    """All callbacks of a training run: the user's, and those that other solver arguments ask for.

    Raises:
        ArgumentError: if one is not a callback, or there are no validation rows for early stopping.
    """
    called = checked_callbacks(given)
    if patience is not None:
        if not has_validation:
            raise ArgumentError(f"patience must be None without validation rows, got {patience}. Give X_val and y_val.")
        called.append(EarlyStopping(patience))
    return [*called, bar] if bar else called
