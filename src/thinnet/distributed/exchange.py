"""Exchange: what the processes that train one net together exchange in a step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from thinnet.distributed.processes import ProcessGroup
from thinnet.typing import AnyArray, FloatArray, IntArray

BatchStatistics = Literal["global", "local"]
BATCH_STATISTICS: tuple[BatchStatistics, ...] = ("global", "local")


@dataclass(frozen=True)
class Exchange:
    """What the processes that train together exchange in a step.

    Args:
        processes: all of them.
        held: returns which of a minibatch's rows this process has: their positions in it, and their indices here.
        statistics: whether batch normalization uses those of the whole minibatch, ``"global"``, or of each part.
    """

    processes: ProcessGroup
    held: Callable[[IntArray], tuple[IntArray, IntArray]]
    statistics: BatchStatistics = "global"

    def add_up(self, loss: float, gradients: FloatArray, running: FloatArray) -> float:
        """Sum the loss, which is returned, and the gradients, in place, over all processes.

        With local statistics, the running statistics become their mean over the processes.
        """
        self.processes.inplace_sum(gradients)
        if self.statistics == "local" and running.size:
            self.processes.inplace_sum(running)
            running /= self.processes.size
        return self.processes.sum(loss)[0]

    def whole(self, row_positions: IntArray, rows: AnyArray, total: int) -> AnyArray:
        """An array of all rows of a minibatch, to which each process contributes those that it has."""
        whole = np.empty((total, *rows.shape[1:]), rows.dtype)
        for positions, part in self.processes.gather((row_positions, rows)):
            whole[positions] = part
        return whole
