"""The one place that decides what a step of a solver does: to a net of ours, flat, or to any model, array by array."""

from __future__ import annotations

from typing import Any

from thinnet.data.batches import BatchOrder
from thinnet.data.dataset import Dataset
from thinnet.data.rows import RowReader
from thinnet.distributed.exchange import BatchStatistics
from thinnet.distributed.preparation import check_alone, exchange_of
from thinnet.distributed.processes import ProcessGroup
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
    check_finite: bool,
) -> NetUpdate | ModelUpdate:
    """What one step does to a model; the arguments are those of `thinnet.Solver`, checked."""
    net = model
    if precision is not None and isinstance(net, FullyConnectedNet):
        net = net.replace(precision=precision)  # on the same parameters
    if isinstance(net, FullyConnectedNet) and isinstance(optimizer, str):
        exchange = exchange_of(net, data, order.smallest, processes, batch_statistics)
        how = choose.row_options(net.spec, fused=net.fused, products=net.products)
        reader = RowReader(data, "train", order.largest, order=order, **how)
        flat = FlatOptimizer(optimizer, options, like=net.params.flat)
        return NetUpdate(net, reader, flat, order.largest, exchange)
    check_alone(processes)
    return ModelUpdate(net, data, order, optimizer, options, check_finite)
