"""Thinnet: its own net and solver, the images kept as uint8."""

from collections.abc import Callable

from job import Job
from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.layers.dropout import MaskKind
from thinnet.spec import Precision


def build(
    job: Job,
    dropout_mask: MaskKind = "element",
    precision: Precision | None = None,
    products: str | None = None,
) -> Callable[[], object]:
    """One step of the solver: gather, standardize, forward, backward, Adam."""
    data = Dataset(*job.images()).standardized("mean")
    net = FullyConnectedNet(
        job.hidden_dims,
        job.input_dim,
        job.num_classes,
        dropout=job.dropout,
        dropout_mask=dropout_mask,
        normalization="batchnorm",
        precision=precision,
        seed=0,
    )
    net.products = products
    options = {"learning_rate": job.learning_rate, "batch_size": job.batch_size}
    solver = Solver(net, data, epochs=10**6, verbose=False, **options)
    return solver.step
