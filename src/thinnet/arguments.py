"""Rejects unknown arguments, attributes and items; suggests the nearest known name, or ours for another library's."""

import functools
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, ParamSpec, TypeVar

import numpy as np

from thinnet.checks import LIMITS, listed
from thinnet.checks import shown as display
from thinnet.errors import ArgumentError
from thinnet.spelling import nearest

P = ParamSpec("P")
T = TypeVar("T")

# What other libraries call a fraction of units: of those dropped, or of those kept.
OF = ("p", "prob", "probability", "rate", "ratio", "fraction")
OF_DROPPED = ["p", "prob", "ratio", *(f"{drop}_{of}" for drop in ("drop", "dropout") for of in OF)]
OF_KEPT = ["keep", *(f"{keep}_{of}" for keep in ("keep", "retain", "dropout_keep") for of in OF)]
DROPPED = dict.fromkeys(OF_DROPPED, " It is the fraction dropped.")
DROPPED |= {word: f" It is the fraction dropped, 1 - {word}." for word in OF_KEPT}

# The options of optimizers, for those who give one by itself: a usual value, and the optimizers that take it.
OPTION_OF = {
    "momentum": (0.9, "sgd_momentum and nesterov take"),
    "decay_rate": (0.99, "rmsprop takes"),
    "beta1": (0.9, "adam, adamw and lion take"),
    "beta2": (0.999, "adam, adamw and lion take"),
    "epsilon": (1e-8, "rmsprop, adam and adamw take"),
    "weight_decay": (0.01, "adamw and lion take"),
}
OPTIONS_ELSEWHERE = {"beta_1": "beta1", "betas": "beta1", "beta_2": "beta2", "eps": "epsilon", "rho": "decay_rate"}

# Synonyms: our names in order of preference, and the words that people may use for them.
OTHERS_CALL_IT = {
    "optimizer solver": "update_rule optim solver optimizer nesterov",
    "optimizer_options": "optim_config optimizer_config momentum decay_rate rho",
    "learning_rate_init learning_rate": "lr learning_rate_init",
    "schedule learning_rate": "lr_decay lr_scheduler decay schedule step_size warmup",
    "epochs max_iter": "num_epochs n_epochs nb_epoch max_iter epochs epoch n_iter",
    "patience n_iter_no_change": "early_stopping n_iter_no_change patience",
    "eval_train_rows": "num_train_samples train_samples",
    "eval_val_rows": "num_val_samples",
    "checkpoint_dir": "checkpoint_name",
    "dropout rate": " ".join([*DROPPED, "rate", "dropout"]),
    "training": "mode train_mode is_training",
    "rate": "dropout_param",
    "running_mean": "bn_param",
    "w gamma": "weight W",
    "b beta": "bias",
    "scores": "logits",
    "groups": "G num_groups",
    "stride": "conv_param",
    "pool_height": "pool_param kernel_size pool_size",
    "padding": "pad",
    "eps epsilon optimizer_options": "eps epsilon",
    "normalization": "use_batchnorm batch_norm batchnorm norm",
    "hidden_dims hidden_layer_sizes": "hidden_dim hidden_sizes hidden_layer_sizes hidden_dims",
    "num_classes": "output_dim n_classes out_features",
    "input_dim num_features n_features_in_": "in_features n_features",
    "mixup": "mixup_alpha",
    "ema_decay": "use_ema ema_momentum model_ema_decay",
    "label_smoothing": "smoothing",
    "reg alpha optimizer_options": "l2 weight_decay alpha reg",
    "seed random_state": "random_state seed",
    "loss": "criterion train_loss",
    "ensemble": "n_estimators",
    "beta_1 optimizer_options": "beta1 beta_1 betas",
    "beta_2 optimizer_options": "beta2 beta_2",
    "batch_size": "batch bs minibatch",
    "flip": "mirror horizontal_flip",
    "translate": "shift width_shift_range padding",
    "padding_mode": "border fill_mode",
    "cutout": "random_erasing",
    "params coefs_": "parameters named_parameters weights state_dict load_state_dict get_weights set_weights",
    "scores predict_proba": "forward decision_function",
    "predict": "eval predict_classes",
    "score": "evaluate",
    "model net_": "net model_",
    "fit": "train",
    "history history_ loss_curve_ loss": "history history_",
    "history.loss loss loss_curve_": "loss_history losses",
    "history.loss loss_curve_": "loss_history_",
    "history.train_accuracy train_accuracy": "train_acc_history",
    "history.val_accuracy val_accuracy": "val_acc_history",
    "train_accuracy accuracy": "accuracy acc",
    "val_accuracy best_val_accuracy": "val_acc best_val_acc",
    "best best_params_": "best_params",
    "best_validation_score_": "best_score_",
    "n_iter_": "num_epochs_",
    "X_train data": "X data",
    "y_train y data": "y target targets labels",
    "class_names classes_": "classes target_names",
    "coefs_": "feature_importances_",
    "on_train_begin": "on_train_start on_fit_start",
    "on_epoch": "on_epoch_end on_validation_end on_evaluate",
    "on_step": "on_batch_end on_train_batch_end on_step_end",
}
OTHER_WORDS = {
    word: tuple(known for known in ours.split() if known != word)
    for ours, words in OTHERS_CALL_IT.items()
    for word in words.split()
}


# Arguments that other libraries' training functions take besides the data, and ours do not.
BESIDE_DATA = {
    "shuffle": "Leave it out: each pass takes the rows in a new order.",
    **dict.fromkeys(("device", "num_workers"), "Leave it out: everything is computed on the CPU."),
    **dict.fromkeys(("loss", "dropout", "normalization", "activation", "hidden_dims", "reg"), "Give it to the net."),
    **dict.fromkeys(("l2", "alpha"), "Give it to the net, as reg."),
    "metrics": "Leave it out: accuracy is measured after each epoch.",
    **dict.fromkeys(
        ("validation_data", "validation_split", "eval_set"),
        "Give such rows as Dataset(X_train, y_train, X_val, y_val).",
    ),
}
# What a course's Solver takes inside optim_config, by the words for it.
IN_OPTIM_CONFIG = {
    **{key: key for key in ("learning_rate", "momentum", "decay_rate", "beta1", "beta2", "epsilon")},
    **dict.fromkeys(("lr", "learning_rate_init"), "learning_rate"),
}
TRAINING = {"optimizer", "optimizer_options", "learning_rate", "schedule", "epochs", "batch_size", "patience"}
QUESTION = "Did you mean "
EXAMPLES = {"hidden_dims": "[100], ..."}  # values of arguments whose name does not show their form
FLAG = bool | np.bool_ | Integral  # also 0 and 1, and other integers: scikit-learn has levels of verbose
FLAGS: dict[Any, Any] = {bool: FLAG, bool | None: FLAG | None}
FLAGS |= {"bool": FLAG, "bool | None": FLAG | None}  # postponed annotations are strings


def known_arguments(function: Callable[P, T], *, flags: bool = True) -> Callable[P, T]:
    """Make a function reject unknown arguments with an ArgumentError that names the nearest known one.

    It also rejects calls that lack a required argument and, if `flags`, flags that are neither true nor false.

    >>> @known_arguments
    ... def train(*, optimizer="adam"): ...
    >>> train(update_rule="sgd")
    Traceback (most recent call last):
    ...
    thinnet.errors.ArgumentError: train has no argument 'update_rule'. Did you mean 'optimizer'?
    """
    every = inspect.signature(function).parameters
    parameters = {name: one for name, one in every.items() if one.kind is not one.VAR_KEYWORD}
    takes_others = len(parameters) < len(every)  # and checks them itself
    names = [name for name in parameters if name not in ("self", "cls")]
    by_place = [name for name in names if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    most = math.inf if any(one.kind is one.VAR_POSITIONAL for one in parameters.values()) else len(by_place)
    needed = [name for name in by_place if most < math.inf and parameters[name].default is inspect.Parameter.empty]
    unnamed = len(parameters) - len(names)
    places = {name: i for i, name in enumerate(by_place, unnamed)}
    known = {name: FLAGS.get(parameters[name].annotation) for name in names if flags}
    questions = [(name, kind, places.get(name, math.inf)) for name, kind in known.items() if kind]
    shown = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in kwargs:
            if name not in names and not takes_others:
                owner = type(args[0]) if args and isinstance(args[0], Known) else None
                raise ArgumentError(f"{shown} has no argument {name!r}. {_answer(name, names, owner, shown)}".rstrip())
        for name, kind, place in questions:
            value = args[int(place)] if place < len(args) else kwargs.get(name, True)
            if not isinstance(value, kind):
                raise ArgumentError(f"{name} must be True or False, got {display(value)}.")
        given = len(args) - unnamed
        if given > most:
            raise ArgumentError(_too_many(shown, by_place, names, given, takes_others))
        missing = [name for name in needed[given:] if name not in kwargs] if given >= 0 else []
        if missing:
            raise ArgumentError(_too_few(shown, needed, missing, by_place[:given], kwargs))
        return function(*args, **kwargs)

    return checked


def _too_few(shown: str, needed: list[str], missing: list[str], given: list[str], by_name: Mapping[str, Any]) -> str:
    """The error message for missing arguments; if the caller used another word for one, it suggests ours."""
    fix = f"Write {shown}({', '.join(EXAMPLES.get(name, name) for name in needed)})."
    for name in missing:
        meant = [word for word in by_name if name in OTHER_WORDS.get(word, ()) and isinstance(by_name[word], Real)]
        meaning = f"Did you mean {name!r} by {meant[0]!r}?{DROPPED.get(meant[0], '')}" if meant else ""
        fix = meaning or (name in LIMITS and name not in EXAMPLES and LIMITS[name].fix) or fix
    came = [*given, *by_name]
    return f"{shown} must be given {listed(missing)}, got {f'only {listed(came)}' if came else 'nothing'}. {fix}"


def _too_many(shown: str, by_place: list[str], names: list[str], came: int, takes_others: bool) -> str:
    """The error message for a call with too many positional arguments."""
    rest = ", ".join(name for name in names if name not in by_place)
    fix = f"Give the others by name{': ' * bool(rest)}{rest}." if rest or takes_others else "Leave the others out."
    if by_place[-1:] == ["data"]:
        fix = "Put rows and targets into one: data=Dataset(X, y)."
    return f"{shown} takes {listed(by_place) if by_place else 'nothing'} by position, got {came}. {fix}"


def _answer(name: str, names: Collection[str], owner: type | None, shown: str) -> str:
    """The advice for an unknown argument: the nearest known one, or that it belongs elsewhere in the class `owner`."""
    if "optim_config" in names and name in IN_OPTIM_CONFIG:
        return f"Write optim_config={{{IN_OPTIM_CONFIG[name]!r}: ...}}."
    if "data" in names and name in BESIDE_DATA:
        return BESIDE_DATA[name]
    found = instead_of(name, names)
    known = [] if owner is None else list(inspect.signature(owner).parameters)
    near = name not in known or any(word in names for word in OTHER_WORDS.get(name, ()))
    if near and found.startswith(QUESTION):
        return found
    if "hidden_dims" in names and TRAINING & {name, *OTHER_WORDS.get(name, ())} and not TRAINING & {*names}:
        return "Give it to thinnet.Solver."
    word = next((word for word in (name, *OTHER_WORDS.get(name, ())) if word in known), None)
    if word is not None and owner is not None:
        return f"Give it to {owner.__name__}({word}=...)."
    ways = [way for way in dir(owner) if way.startswith(f"{shown}_") and callable(getattr(owner, way))]
    way = next((way for way in ways if name in inspect.signature(getattr(owner, way)).parameters), None)
    return found if way is None else f"{found} {way} has it."


def knows_arguments(kind: type[T]) -> type[T]:
    """The same for a class: its constructor rejects unknown arguments. Flags are checked where they are used."""
    kind.__init__ = known_arguments(kind.__init__, flags=False)  # type: ignore[method-assign]
    return kind


class Later:
    """A string that is built when it is read: most code that looks up an attribute only checks whether it exists."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __str__(self) -> str:
        return self._make()

    def __repr__(self) -> str:
        return repr(str(self))

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class Known:
    """Base class: methods reject unknown arguments, and instances reject unknown attributes and items.

    Each error names the nearest known name. `_instead` has the advice for other libraries' words that match no name
    of the class.

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
            if name.startswith("_") and name != "__call__":
                continue
            if isinstance(value, FunctionType):
                setattr(cls, name, known_arguments(value))
            elif isinstance(value, classmethod):
                setattr(cls, name, classmethod(known_arguments(value.__func__)))

    if not TYPE_CHECKING:  # otherwise mypy would accept every attribute
        __iter__ = None  # otherwise Python would iterate over the items 0, 1, ...

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):  # a property raised AttributeError; let it raise again
                return object.__getattribute__(self, name)
            kind = type(self).__name__
            if name.startswith("_"):  # other libraries probe for these
                raise AttributeError(f"{kind!r} object has no attribute {name!r}")
            advice = Later(lambda: f"a {kind} has no attribute {name!r}. {self._way(name)}".rstrip())
            raise AttributeError(advice, name="")  # otherwise Python appends its own suggestion

        def __getitem__(self, name: Any) -> NoReturn:
            kind = type(self).__name__
            fix = f"Write .{name}." if hasattr(type(self), str(name)) or name in vars(self) else self._way(str(name))
            raise ArgumentError(f"a {kind} has no items, got [{name!r}]. {fix}".rstrip())

    def _way(self, name: str) -> str:
        """What to write instead of a missing attribute; empty if no name is close."""
        if name in self._instead:
            return self._instead[name]
        found = instead_of(name, [known for known in dir(self) if not known.startswith("_")])
        return found if found.startswith(QUESTION) else ""


def instead_of(name: str, known: Collection[str]) -> str:
    """The question "Did you mean ...?" with a known name of the same meaning or a similar spelling, or a list of all.

    >>> instead_of("num_epochs", ["epochs", "seed"])
    "Did you mean 'epochs'?"
    """
    for word in OTHER_WORDS.get(name, ()):
        if word.partition(".")[0] in known:
            note = DROPPED.get(name, "")
            option = OPTIONS_ELSEWHERE.get(name, name)
            if word == "optimizer_options" and option in OPTION_OF:
                value, takers = OPTION_OF[option]
                note = f" Write optimizer_options={{{option!r}: {value:g}}}, which {takers}."
            return f"Did you mean {word!r}?{note}"
    return nearest(name, known) or (f"It has {', '.join(known)}." if known else "It has none.")
