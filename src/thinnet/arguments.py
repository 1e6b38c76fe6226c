"""Unknown arguments: refused with the nearest known one, also where another library or a course has other words."""

import functools
import inspect
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from thinnet.checks import nearest
from thinnet.errors import ArgumentError

P = ParamSpec("P")
T = TypeVar("T")

# What others call it, and the words that ours may have for it, in the order of preference.
OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "update_rule": ("optimizer", "solver"),
    "solver": ("optimizer",),
    "optimizer": ("solver",),
    "optim": ("optimizer", "solver"),
    "optim_config": ("optimizer_options",),
    "optimizer_config": ("optimizer_options",),
    "lr": ("learning_rate_init", "learning_rate"),
    "learning_rate_init": ("learning_rate",),
    "lr_decay": ("schedule", "learning_rate"),
    "lr_scheduler": ("schedule", "learning_rate"),
    "schedule": ("learning_rate",),
    "num_epochs": ("epochs", "max_iter"),
    "n_epochs": ("epochs", "max_iter"),
    "epochs": ("max_iter",),
    "max_iter": ("epochs",),
    "n_iter_no_change": ("patience",),
    "patience": ("n_iter_no_change",),
    "early_stopping": ("patience",),
    "num_train_samples": ("eval_train_rows",),
    "num_val_samples": ("eval_val_rows",),
    "checkpoint_name": ("checkpoint_dir",),
    "dropout_rate": ("dropout",),
    "dropout_keep_ratio": ("dropout",),
    "keep_prob": ("dropout",),
    "p": ("dropout",),
    "rate": ("dropout",),
    "use_batchnorm": ("normalization",),
    "batch_norm": ("normalization",),
    "batchnorm": ("normalization",),
    "norm": ("normalization",),
    "hidden_dim": ("hidden_dims", "hidden_layer_sizes"),
    "hidden_sizes": ("hidden_dims", "hidden_layer_sizes"),
    "hidden_dims": ("hidden_layer_sizes",),
    "hidden_layer_sizes": ("hidden_dims",),
    "output_dim": ("num_classes",),
    "n_classes": ("num_classes",),
    "in_features": ("input_dim",),
    "out_features": ("num_classes",),
    "mixup_alpha": ("mixup",),
    "use_ema": ("ema_decay",),
    "ema_momentum": ("ema_decay",),
    "model_ema_decay": ("ema_decay",),
    "smoothing": ("label_smoothing",),
    "l2": ("reg", "alpha"),
    "weight_decay": ("reg", "alpha"),
    "reg": ("alpha",),
    "alpha": ("reg",),
    "random_state": ("seed",),
    "seed": ("random_state",),
    "criterion": ("loss",),
    "decay": ("schedule", "learning_rate"),
    "n_estimators": ("ensemble",),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "mirror": ("flip",),
    "horizontal_flip": ("flip",),
    "shift": ("translate",),
    "width_shift_range": ("translate",),
    "padding": ("translate",),
    "border": ("padding_mode",),
    "fill_mode": ("padding_mode",),
    "random_erasing": ("cutout",),
    "train_samples": ("eval_train_rows",),
}


def known_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function refuse unknown arguments with an ArgumentError that names the nearest known one.

    >>> @known_arguments
    ... def train(*, optimizer="adam"): ...
    >>> train(update_rule="sgd")
    Traceback (most recent call last):
    ...
    thinnet.errors.ArgumentError: train has no argument 'update_rule'. Did you mean 'optimizer'?
    """
    signature = inspect.signature(function)
    names = [name for name in signature.parameters if name != "self"]
    shown = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in kwargs:
            if name not in names:
                raise ArgumentError(f"{shown} has no argument {name!r}. {instead_of(name, names)}".rstrip())
        return function(*args, **kwargs)

    return checked


def knows_arguments(kind: type[T]) -> type[T]:
    """The same for a class: its constructor refuses unknown arguments."""
    kind.__init__ = known_arguments(kind.__init__)  # type: ignore[method-assign]
    return kind


def instead_of(name: str, known: Collection[str]) -> str:
    """The question "Did you mean ...?" with the known argument that means the same or is spelled alike, or the list.

    >>> instead_of("num_epochs", ["epochs", "seed"])
    "Did you mean 'epochs'?"
    """
    for word in OTHER_WORDS.get(name, ()):
        if word in known:
            return f"Did you mean {word!r}?"
    return nearest(name, known) or f"It has {', '.join(known)}."
