"""The one place that decides what a step of a solver does: to a net of ours, flat, or to any model, array by array."""

from typing import Any

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
    """What one step does to a model; the arguments are those of `thinnet.Solver`, checked."""
    net = model
    if mixup:
        _check_mixes(net, optimizer, processes)
    if precision is not None:
        if not isinstance(net, FullyConnectedNet):
            raise ArgumentError(
                f"precision must be None unless the model is a FullyConnectedNet, got {precision!r}. Such a model does "
                f"its own products: leave precision out."
            )
        net = net.replace(precision=precision)
    if isinstance(net, FullyConnectedNet) and isinstance(optimizer, str):
        exchange = exchange_of(net, data, order.smallest, processes, batch_statistics)
        how = choose.row_options(net.spec, fused=net.fused, products=net.products)
        reader: RowReader | MixedRows
        if mixup:
            rows = RowReader(data, "train", order.largest, order=order, **how)
            classes = net.num_classes if LOSSES[net.loss_name].targets == "labels" else None
            reader = MixedRows(rows, mixup, order.seed, order.largest, classes)
        else:
            reader = RowReader(data, "train", order.largest, order=order, **how)
        flat = FlatOptimizer(optimizer, options, like=net.params.flat)
        return NetUpdate(net, reader, flat, order.largest, exchange)
    check_alone(processes)
    return ModelUpdate(net, data, order, optimizer, options)


def _check_mixes(net: Any, optimizer: str | Rule, processes: ProcessGroup) -> None:
    if not (isinstance(net, FullyConnectedNet) and isinstance(optimizer, str)):
        raise ArgumentError(
            "mixup must be 0 unless the model is a FullyConnectedNet and optimizer a name, got more. Train such a net, "
            "or leave mixup out."
        )
    if net.loss_name == "svm":
        raise ArgumentError(
            "mixup must be 0 with loss='svm', got more: a margin is not linear in the target. Use loss='softmax', or "
            "leave mixup out."
        )
    if processes.size > 1:
        raise ArgumentError(
            f"mixup must be 0 in several processes, got more in {processes.size}: a row may have to be mixed with one "
            f"that another process has. Train in one process, or leave mixup out."
        )
