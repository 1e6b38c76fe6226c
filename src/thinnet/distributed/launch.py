"""How several processes start: whether ``mpiexec`` started this one, and how many of the machine's cores it gets."""

import os
import warnings
from typing import Any

from thinnet.errors import require

# How MPICH, Open MPI and Slurm tell the processes they start how many there are.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def started_by_mpi() -> Any:
    """The communicator of all processes if ``mpiexec`` started this one, else None; also divides the cores among them.

    Raises:
        MissingExtraError: if ``mpiexec`` did, but mpi4py is not installed.
    """
    if not started_several():
        return None
    world = require("mpi4py.MPI", extra="mpi", purpose="training in several processes").COMM_WORLD
    if world.size > 1:
        _share_cores(world)
    return world


def started_several() -> bool:
    """Whether this is one of several processes that ``mpiexec`` started."""
    return any(os.environ.get(name, "1") != "1" for name in SIZES)


def warn_if_alone(communicator: Any) -> None:
    """Warn if several processes were started, but this one is about to train its own net."""
    if communicator is None and started_several():
        warnings.warn(
            "Several processes were started by mpiexec, and each trains a net of its own. To train one net in all "
            "of them, give the solver communicator=MPI.COMM_WORLD.",
            stacklevel=4,
        )


def _share_cores(world: Any) -> None:
    """Give each process its share of the machine's cores, unless the user has said how many threads to use."""
    if any(name in os.environ for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")):
        return
    from mpi4py import MPI

    from thinnet.products.choose import products
    from thinnet.teams import num_threads  # slow to import

    limits = require("threadpoolctl", extra="mpi", purpose="sharing cores between processes")
    here = world.Split_type(MPI.COMM_TYPE_SHARED)
    products()  # load it now, or the limit would not apply to it
    limits.threadpool_limits(max(1, num_threads() // here.size))
