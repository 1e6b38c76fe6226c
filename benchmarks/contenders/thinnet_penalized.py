"""Thinnet under a strong L2 penalty: a small net as for tables, at the start of its training."""

from collections.abc import Callable

from job import Job
from thinnet import Dataset, FullyConnectedNet, Solver


def build(job: Job, steps_before: int = 0) -> Callable[[], object]:
    """One step of the solver, after so many others."""
    data = Dataset(*job.images()).standardized("feature")
    dims = job.hidden_dims, job.input_dim, job.num_classes
    net = FullyConnectedNet(*dims, dropout=job.dropout, normalization="layernorm", reg=0.05, seed=0)
    options = {"learning_rate": job.learning_rate, "batch_size": job.batch_size}
    solver = Solver(net, data, epochs=10**6, verbose=False, **options)
    for _ in range(steps_before):
        solver.step()
    return solver.step
