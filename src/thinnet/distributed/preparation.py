"""What several processes do before they train one net: share the data, check the net, and start from the same state."""

from thinnet.data.dataset import Dataset
from thinnet.distributed.exchange import BatchStatistics, Exchange
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError
from thinnet.nets import FullyConnectedNet
from thinnet.steps import choose

ROWS_FOR_LOCAL_STATISTICS = 32  # average rows per process; with fewer, one process may have none of a batch


def share_of(data: Dataset, processes: ProcessGroup) -> Dataset:
    """This process's share of the data, which may already be one."""
    if data.share is None:
        return data.shared(processes.rank, processes.size) if processes.size > 1 else data
    if data.share.size != processes.size:
        raise ArgumentError(
            f"communicator must have the {data.share.size} processes that share the data set, got {processes.size}. "
            f"Give the communicator that the data were shared with."
        )
    return data


def num_train(data: Dataset, processes: ProcessGroup) -> int:
    """How many training rows all processes have together: at least one each."""
    num_rows, size = data.total_rows("train"), processes.size
    if num_rows < size:
        wanted = "one training row" if size == 1 else f"{size} training rows, one per process"
        fix = "" if size == 1 else " Start fewer processes."
        raise ArgumentError(f"data must have at least {wanted}, got {num_rows or 'none'}.{fix}")
    return num_rows


def check_alone(processes: ProcessGroup) -> None:
    """Reject several processes for what only one can train."""
    if processes.size > 1:
        raise ArgumentError(
            "communicator must be None unless the model is a FullyConnectedNet and optimizer a name, got one of "
            f"{processes.size} processes. Train such a net, or train in one process."
        )


def exchange_of(
    net: FullyConnectedNet, data: Dataset, smallest: int, processes: ProcessGroup, statistics: BatchStatistics
) -> Exchange | None:
    """What the processes exchange while they train a net; all of them now start from the same net.

    Args:
        net: receives the parameters, running statistics, step and seed of rank 0.
        data: this process's share of the rows.
        smallest: the fewest rows in a minibatch.
        processes: all of them; with just one, there is nothing to exchange.
        statistics: as for `Exchange`.

    Raises:
        ArgumentError: if such a net cannot be trained in several processes.
    """
    if processes.size == 1:
        return None
    _check_net(net, smallest, processes, statistics)
    processes.inplace_from_first(net.params.flat)
    processes.inplace_from_first(net.running.flat)
    net.step = processes.from_first(net.step)
    net.reseed(processes.from_first(net.seed))
    return Exchange(processes, lambda rows: data.held("train", rows), statistics)


def _check_net(net: FullyConnectedNet, smallest: int, processes: ProcessGroup, statistics: str) -> None:
    """Check that a net can be trained in several processes, on minibatches of at least `smallest` rows."""
    if not choose.fuses(net.spec, net.fused):
        raise ArgumentError(
            f"communicator must be None for a net that is computed without the kernels, got one of {processes.size} "
            f"processes. Install Numba and leave net.fused True, or train in one process."
        )
    least = ROWS_FOR_LOCAL_STATISTICS * processes.size
    if statistics == "local" and net.normalization == "batchnorm" and smallest < least:
        raise ArgumentError(
            f"batch_size must be at least {least} with batch_statistics='local' in {processes.size} processes, got "
            f"minibatches of {smallest} rows. Each process needs some rows of every minibatch: use larger ones, or "
            f"batch_statistics='global'."
        )
