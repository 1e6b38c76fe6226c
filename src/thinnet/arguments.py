"""Unknown arguments, attributes and items: refused with the nearest known one, also where others have other words."""

import functools
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, ParamSpec, TypeVar

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
    # attributes
    "parameters": ("params",),
    "named_parameters": ("params",),
    "weights": ("params", "coefs_"),
    "state_dict": ("params",),
    "load_state_dict": ("params",),
    "get_weights": ("params",),
    "set_weights": ("params",),
    "forward": ("scores",),
    "decision_function": ("scores", "predict_proba"),
    "eval": ("predict",),
    "evaluate": ("score",),
    "n_features": ("input_dim", "num_features", "n_features_in_"),
    "net": ("model", "net_"),
    "model_": ("net_",),
    "train": ("fit",),
    "history": ("history_", "loss_curve_", "loss"),
    "history_": ("history", "loss_curve_"),
    "loss_history": ("history.loss", "loss", "loss_curve_"),
    "loss_history_": ("history.loss", "loss_curve_"),
    "losses": ("history.loss", "loss", "loss_curve_"),
    "train_loss": ("loss",),
    "train_acc_history": ("history.train_accuracy", "train_accuracy"),
    "val_acc_history": ("history.val_accuracy", "val_accuracy"),
    "accuracy": ("train_accuracy",),
    "acc": ("train_accuracy", "accuracy"),
    "val_acc": ("val_accuracy", "best_val_accuracy"),
    "best_val_acc": ("best_val_accuracy",),
    "best_params": ("best", "best_params_"),
    "best_score_": ("best_validation_score_",),
    "num_epochs_": ("n_iter_",),
    "X": ("X_train", "data"),
    "y": ("y_train", "data"),
    "data": ("X_train",),
    "target": ("y_train",),
    "targets": ("y_train",),
    "classes": ("class_names", "classes_"),
    "target_names": ("class_names",),
    "feature_importances_": ("coefs_",),
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
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return function  # which checks for itself what it passes on
    names = [name for name in parameters if name not in ("self", "cls")]
    by_place = [name for name in names if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    most = math.inf if any(one.kind is one.VAR_POSITIONAL for one in parameters.values()) else len(by_place)
    unnamed = len(parameters) - len(names)
    shown = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in kwargs:
            if name not in names:
                owner = type(args[0]) if args and isinstance(args[0], Known) else None
                raise ArgumentError(f"{shown} has no argument {name!r}. {_answer(name, names, owner)}".rstrip())
        if len(args) - unnamed > most:
            raise ArgumentError(_too_many(shown, by_place, names, len(args) - unnamed))
        return function(*args, **kwargs)

    return checked


def _too_many(shown: str, by_place: list[str], names: list[str], came: int) -> str:
    """The refusal of a call with more values than can be given by position."""
    rest = ", ".join(name for name in names if name not in by_place)
    fix = "Put rows and targets into one: data=Dataset(X, y)." if "data" in by_place else ""
    fix = fix or (f"Give the others by name: {rest}." if rest else "Leave the others out.")
    return f"{shown} takes {' and '.join(by_place) or 'nothing'} by position, got {came}. {fix}"


def _answer(name: str, names: Collection[str], owner: type | None) -> str:
    """What to say of an unknown argument of a method: the nearest one, or that it is one of the class, its `owner`."""
    found = instead_of(name, names)
    known = [] if owner is None else list(inspect.signature(owner).parameters)
    near = name not in known or any(word in names for word in OTHER_WORDS.get(name, ()))
    if near and found.endswith("?"):
        return found
    word = next((word for word in (name, *OTHER_WORDS.get(name, ())) if word in known), None)
    return found if word is None or owner is None else f"Give it to {owner.__name__}({word}=...)."


def knows_arguments(kind: type[T]) -> type[T]:
    """The same for a class: its constructor refuses unknown arguments."""
    kind.__init__ = known_arguments(kind.__init__)  # type: ignore[method-assign]
    return kind


class Known:
    """The base of classes whose methods refuse unknown arguments, and whose instances unknown attributes and items.

    Each names the nearest known one. `_instead` has the sentence for others' words that no name of the class
    stands for.

    >>> class Curve(Known):
    ...     loss = 0.5
    ...     def at(self, step): ...
    >>> Curve().at(iteration=3)
    Traceback (most recent call last):
    ...
    thinnet.errors.ArgumentError: at has no argument 'iteration'. It has step.
    >>> Curve().losses
    Traceback (most recent call last):
    ...
    AttributeError: a Curve has no attribute 'losses'. Did you mean 'loss'?
    """

    _instead: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, value in list(vars(cls).items()):
            if name.startswith("_"):
                continue
            if isinstance(value, FunctionType):
                setattr(cls, name, known_arguments(value))
            elif isinstance(value, classmethod):
                setattr(cls, name, classmethod(known_arguments(value.__func__)))

    if not TYPE_CHECKING:  # to which every attribute would be known otherwise
        __iter__ = None  # or Python would ask for the items 0, 1, ...

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):  # a property that raised AttributeError, and does so again
                return object.__getattribute__(self, name)
            kind = type(self).__name__
            if name.startswith("_"):  # which others ask for to see whether it is there
                raise AttributeError(f"{kind!r} object has no attribute {name!r}")
            raise AttributeError(f"a {kind} has no attribute {name!r}. {self._way(name)}".rstrip())

        def __getitem__(self, name: Any) -> NoReturn:
            kind = type(self).__name__
            fix = f"Write .{name}." if hasattr(type(self), str(name)) or name in vars(self) else self._way(str(name))
            raise ArgumentError(f"a {kind} has no items, got [{name!r}]. {fix}".rstrip())

    def _way(self, name: str) -> str:
        """What to write in place of an attribute that there is not; nothing where nothing is near."""
        if name in self._instead:
            return self._instead[name]
        found = instead_of(name, [known for known in dir(self) if not known.startswith("_")])
        return found if found.endswith("?") else ""


def instead_of(name: str, known: Collection[str]) -> str:
    """The question "Did you mean ...?" with the known name that means the same or is spelled alike, or the list.

    >>> instead_of("num_epochs", ["epochs", "seed"])
    "Did you mean 'epochs'?"
    """
    for word in OTHER_WORDS.get(name, ()):
        if word.partition(".")[0] in known:
            return f"Did you mean {word!r}?"
    return nearest(name, known) or f"It has {', '.join(known)}."
