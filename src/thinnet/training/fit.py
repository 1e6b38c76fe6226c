"""Checks before training that a net, its data and its batches fit together."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from thinnet.arrays import cast
from thinnet.checks import check_number, shortened
from thinnet.data.checking import MOST_ABSENT, check_no_words
from thinnet.data.dataset import Dataset
from thinnet.data.fields import SPLITS
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError, DataError
from thinnet.layers import LOSSES
from thinnet.layers.batchnorm import check_batch
from thinnet.masks import fresh_seed
from thinnet.nets import FullyConnectedNet
from thinnet.targets import is_one_hot, seem_no_classes
from thinnet.typing import AnyArray

UNLIKELY = 1e-3  # the probability that no training row has a label by chance, as may be if there are few


def fewest_rows(model: Any) -> int:
    """The minimum minibatch size for a model; a model that is not ours may use batch normalization."""
    return 1 if isinstance(model, FullyConnectedNet) and model.normalization != "batchnorm" else 2


def checked_seed(seed: int | None, model: Any, processes: ProcessGroup) -> int:
    """The given seed, or else the model's own, or else a new one; drawn or model seeds are those of rank 0."""
    if seed is None:
        seed = processes.from_first(getattr(model, "seed", None))
    return int(check_number("seed", processes.from_first(fresh_seed()) if seed is None else seed))


def check_takes_rows_as_given(net: FullyConnectedNet) -> None:
    """Reject a net that has a standardization: the data set's rows would be standardized twice."""
    if net.standardization is not None:
        raise ArgumentError(
            "model must take rows as the data set gives them, got a net that standardizes raw rows itself: they would "
            "be standardized twice. Train net.with_standardization(None), on data that are standardized as before."
        )


def as_dataset(data: Dataset | Mapping[str, Any]) -> Dataset:
    """The data set, or one made from a dict; see `Dataset.from_dict`."""
    return data if isinstance(data, Dataset) else Dataset.from_dict(data)


def check_fit(net: FullyConnectedNet, data: Dataset, batch_size: int) -> Dataset:
    """The data set with targets in the form that the net's loss takes, after checking that net and data fit."""
    check_takes_rows_as_given(net)
    if net.input_dim != data.num_features:
        raise ArgumentError(
            f"data must have {net.input_dim} features, the net's input_dim, got {data.num_features}. Build the net "
            f"with input_dim={data.num_features}."
        )
    if net.normalization == "batchnorm" and net.hidden_dims:
        check_batch("batch_size", batch_size)
    data.check_range(net.dtype)
    if data.text_labels:
        _check_names(net, data)
    if LOSSES[net.loss_name].targets != "labels" and net.num_classes == 1:
        data = data.with_values()
    for split in SPLITS:
        if data.num_rows(split):
            _check_targets(net, split, data.labels(split))
            cast(f"y_{split}", data.labels(split), net.dtype, DataError)
    if data.weights is not None:
        cast("weights", data.weights, net.dtype, DataError)
    if data.text_labels and not net.class_names:
        net.name_classes(data.class_names)
    warn_of_labels(net, data)
    return data


def _check_names(net: FullyConnectedNet, data: Dataset) -> None:
    """Reject text labels if the net predicts values or has different classes."""
    check_no_words(data, net.loss_name, LOSSES[net.loss_name].targets)
    if net.num_classes != len(data.class_names) or net.class_names not in ((), data.class_names):
        came = shortened(net.class_names) if net.class_names else f"one of {net.num_classes} outputs"
        raise ArgumentError(
            f"model must be a net for the classes {shortened(data.class_names)}, got one for {came}. Build it with "
            f"FullyConnectedNet.for_data(data, ...)."
        )


def _check_targets(net: FullyConnectedNet, split: str, y: AnyArray) -> None:
    wanted = LOSSES[net.loss_name].targets
    if (wanted == "labels") != (y.ndim == 1 and y.dtype.kind != "f"):
        raise ArgumentError(
            f"y_{split} must hold {wanted}, since the net's loss is {net.loss_name!r}, got {_told(y)}. {_other_loss(y)}"
        )
    if wanted == "fractions" and not (y.min(initial=0) >= 0 and y.max(initial=1) <= 1):
        raise ArgumentError(
            f"y_{split} must hold numbers from 0 to 1, since the net's loss is 'logistic', got {y.min()} to {y.max()}. "
            f"Use one column per label, with 1 where a row has it, or loss='mse' for other values."
        )
    if wanted == "counts" and not y.min(initial=0) >= 0:
        raise ArgumentError(
            f"y_{split} must hold numbers >= 0, since the net's loss is 'poisson', got {y.min()}. Use loss='mse' for "
            f"values of either sign."
        )
    if y.ndim == 2 and y.shape[1] != net.num_classes:
        raise ArgumentError(
            f"y_{split} must have {net.num_classes} columns, the net's num_classes, got {y.shape[1]}. Build the net "
            f"with num_classes={y.shape[1]}."
        )
    if y.ndim == 1 and int(y.max()) >= net.num_classes:
        raise ArgumentError(
            f"y_{split} must hold labels from 0 to {net.num_classes - 1}, since the net has num_classes="
            f"{net.num_classes}, got {int(y.max())}. Number the classes from 0, or build the net with more; if these "
            f"are values, build it with loss='mse'."
        )


def _told(y: AnyArray) -> str:
    """A description of the targets as the user gave them: a single column may have been given as (N,)."""
    if y.ndim == 1:
        return f"labels from {y.min(initial=0)} to {y.max(initial=0)}"
    if not y.size:
        return "no values"
    odd = y[y != np.floor(y)]
    columns = f" in {y.shape[1]} columns" if y.shape[1] > 1 else ""
    return f"values such as {(odd if odd.size else y.ravel())[0]:g}{columns}"


def _other_loss(y: AnyArray) -> str:
    if y.ndim == 1:
        return "Use loss='softmax' for classes, or give one column for each output of the net."
    if is_one_hot(y):
        return "Give the number of each row's class instead of zeros and a one: y.argmax(axis=1)."
    if y.shape[1] > 1:
        return "Use loss='mse' for values, 'logistic' for several labels per row, 'poisson' for counts."
    numbering = "if they are classes, number them: names, y = np.unique(y, return_inverse=True)."
    return f"Use loss='mse' and num_classes=1 for values; {numbering}"


def warn_of_labels(net: FullyConnectedNet, data: Dataset) -> None:
    """Warn about labels that are useless or probably a mistake; only if this process has the whole data set."""
    if LOSSES[net.loss_name].targets != "labels" or data.share is not None:
        return
    seen = np.bincount(data.y_train, minlength=net.num_classes) > 0
    name = {label: repr(text) for label, text in enumerate(data.class_names)}
    if seen.sum() == 1:
        only = int(seen.argmax())
        _warn(f"y_train has only the label {name.get(only, only)}, so the net will learn to predict it for every row")
        return
    if warning := seem_no_classes("y_train", int(seen.sum()), len(data.y_train)):
        _warn(f"{warning}build the net with loss='mse' and num_classes=1")
    elif net.num_classes > MOST_ABSENT + 10 * seen.sum():
        _warn(
            f"the net has {net.num_classes:,} outputs, but y_train only {seen.sum():,} different labels, so training "
            f"is needlessly slow. Number the classes: names, y = np.unique(y, return_inverse=True)"
        )
    if not data.class_names and not seen[0]:
        _warn(
            f"y_train has no label 0, so the first of the net's {net.num_classes} outputs is unused. Number the "
            f"classes from 0: names, y = np.unique(y, return_inverse=True)"
        )
    for split in ("val", "test"):
        labels = data.labels(split) if data.num_rows(split) else data.y_train
        often = np.maximum(np.bincount(labels) / len(labels), 1 / net.num_classes)  # as an average one, if rarer
        unlikely = (1 - often) ** len(data.y_train) < UNLIKELY
        if missing := [int(label) for label in np.unique(labels) if not seen[label] and unlikely[label]]:
            s, them = ("s", "them") if len(missing) > 1 else ("", "it")
            new = shortened([data.class_names[label] for label in missing] if data.class_names else missing)
            _warn(f"y_{split} has the label{s} {new}, which no training row has: the net cannot learn {them}")


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=6)  # the line that creates the solver
