"""The one place that chooses how a solver takes a step: on a flat buffer for our nets, else array by array."""

from typing import Any

from thinnet.checks import shown
from thinnet.data.batches import BatchOrder
from thinnet.data.dataset import Dataset
from thinnet.data.mixup import MixedRows
from thinnet.data.rows import RowReader
from thinnet.distributed.exchange import BatchStatistics
from thinnet.distributed.preparation import check_alone, exchange_of
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError
from thinnet.layers import LOSSES
from thinnet.nets import FullyConnectedNet
from thinnet.optim import Config, FlatOptimizer, Rule
from thinnet.spec import Precision
from thinnet.steps import choose
from thinnet.training.model_update import ModelUpdate
from thinnet.training.net_update import NetUpdate

# Options that only our nets support: the value required otherwise, whether the optimizer must be a name, and the fix.
BY_NAME = " and optimizer a name"
OF_OURS = {
    "precision": ("None", "", "Such a model computes its own products: leave precision out."),
    "ema_decay": ("None", "", "Average such a model's weights in its own loss, or leave ema_decay out."),
    "mixup": ("0", BY_NAME, "Train such a net, or leave mixup out."),
    "checkpoint_dir": ("None", BY_NAME, "Train such a net, or leave checkpoint_dir out."),
}


def update_of(
    model: Any,
    data: Dataset,
    order: BatchOrder,
    optimizer: str | Rule,
    options: Config,
    processes: ProcessGroup,
    batch_statistics: BatchStatistics,
    precision: Precision | None,
    mixup: float,
) -> NetUpdate | ModelUpdate:
    """The object that takes training steps; the arguments are those of `thinnet.Solver`, already checked."""
    check_ours(model, optimizer, precision=precision, mixup=mixup)
    if mixup:
        _check_mixes(model, processes, mixup)
    net = model if precision is None else model.replace(precision=precision)
    if isinstance(net, FullyConnectedNet) and isinstance(optimizer, str):
        exchange = exchange_of(net, data, order.smallest, processes, batch_statistics)
        how = choose.row_options(net.spec, fused=net.fused, products=net.products)
        rows = RowReader(data, "train", order.largest, order=order, **how)
        reader: RowReader | MixedRows = rows
        if mixup:
            classes = net.num_classes if LOSSES[net.loss_name].targets == "labels" else None
            reader = MixedRows(rows, mixup, order.seed, order.largest, classes)
        flat = FlatOptimizer(optimizer, options, like=net.params.flat)
        return NetUpdate(net, reader, flat, order.largest, exchange)
    check_alone(processes)
    return ModelUpdate(net, data, order, optimizer, options)


def check_ours(model: Any, optimizer: str | Rule, **given: Any) -> None:
    """Reject options that only our nets support, or some of them only with a named optimizer."""
    for name, value in given.items():
        instead, by_name, fix = OF_OURS[name]
        ours = isinstance(model, FullyConnectedNet) and (isinstance(optimizer, str) or not by_name)
        if not ours and value:
            raise ArgumentError(
                f"{name} must be {instead} unless the model is a FullyConnectedNet{by_name}, got {shown(value)}. {fix}"
            )


def _check_mixes(net: FullyConnectedNet, processes: ProcessGroup, mixup: float) -> None:
    if net.loss_name == "svm":
        raise ArgumentError(
            f"mixup must be 0 with loss='svm', got {mixup}: a margin is not linear in the target. Use loss='softmax', "
            f"or leave mixup out."
        )
    if processes.size > 1:
        raise ArgumentError(
            f"mixup must be 0 in several processes, got {mixup} in {processes.size}: the partner of a row may be in "
            f"another process. Train in one process, or leave mixup out."
        )
