"""Whether a net, its data and its batches fit together: found out before training rather than in it."""

from __future__ import annotations

from typing import Any

from thinnet.arrays import cast
from thinnet.data.dataset import SPLITS, Dataset
from thinnet.errors import ArgumentError, DataError
from thinnet.layers import LOSSES
from thinnet.layers.batchnorm import check_batch
from thinnet.nets import FullyConnectedNet
from thinnet.parallel import ROWS_FOR_LOCAL_STATISTICS, Ranks
from thinnet.steps import choose
from thinnet.typing import AnyArray


def fewest_rows(model: Any) -> int:
    """The fewest rows of which a minibatch can be for a model; another's than ours may normalize over its batches."""
    return 1 if isinstance(model, FullyConnectedNet) and model.normalization != "batchnorm" else 2


def check_fit(net: FullyConnectedNet, data: Dataset, batch_size: int) -> Dataset:
    """The data set with its targets in the form of the net's loss, if the net has the inputs and outputs they need."""
    if net.input_dim != data.num_features:
        raise ArgumentError(
            f"data must have {net.input_dim} features, the net's input_dim, got {data.num_features}. Build the net "
            f"with input_dim={data.num_features}."
        )
    if net.normalization == "batchnorm" and net.hidden_dims:
        check_batch("batch_size", batch_size)
    data.check_range(net.dtype)
    if LOSSES[net.loss_name].targets != "labels" and net.num_classes == 1:
        data = data.with_values()
    for split in SPLITS:
        if data.num_rows(split):
            _check_targets(net, split, data.labels(split))
            cast(f"y_{split}", data.labels(split), net.dtype, DataError)
    if data.weights is not None:
        cast("weights", data.weights, net.dtype, DataError)
    return data


def _check_targets(net: FullyConnectedNet, split: str, y: AnyArray) -> None:
    wanted = LOSSES[net.loss_name].targets
    if (wanted == "labels") != (y.ndim == 1 and y.dtype.kind != "f"):
        raise ArgumentError(
            f"y_{split} must hold {wanted}, since the net's loss is {net.loss_name!r}, got {y.dtype} of shape "
            f"{y.shape}. Use loss='softmax' for labels, 'mse' for values of shape (N, C), or (N,) where num_classes=1, "
            f"'logistic' for several labels a row."
        )
    if wanted == "fractions" and not (y.min(initial=0) >= 0 and y.max(initial=1) <= 1):
        raise ArgumentError(
            f"y_{split} must hold numbers from 0 to 1, since the net's loss is 'logistic', got {y.min()} to {y.max()}. "
            f"Use one column a label, 1 where a row has it, or loss='mse' for other values."
        )
    if y.ndim == 2 and y.shape[1] != net.num_classes:
        raise ArgumentError(
            f"y_{split} must have {net.num_classes} columns, the net's num_classes, got {y.shape[1]}. Build the net "
            f"with num_classes={y.shape[1]}."
        )
    if y.ndim == 1 and int(y.max()) >= net.num_classes:
        raise ArgumentError(
            f"y_{split} must hold labels from 0 to {net.num_classes - 1}, since the net has num_classes="
            f"{net.num_classes}, got {int(y.max())}. Number the classes from 0, or build the net with more."
        )


def check_parallel(net: FullyConnectedNet, smallest: int, ranks: Ranks, statistics: str) -> None:
    """Check that a net can be trained in several processes, by minibatches of at least so many rows."""
    if not choose.fuses(net.spec, net.fused):
        raise ArgumentError(
            f"communicator must be None for a net that is computed without the kernels, got one of {ranks.size} "
            f"processes. Install Numba and leave net.fused True, or train in one process."
        )
    least = ROWS_FOR_LOCAL_STATISTICS * ranks.size
    if statistics == "local" and net.normalization == "batchnorm" and smallest < least:
        raise ArgumentError(
            f"batch_size must be at least {least} with batch_statistics='local' in {ranks.size} processes, got "
            f"minibatches of {smallest} rows. Each process needs some rows of every one: use larger ones, or "
            f"batch_statistics='global'."
        )
