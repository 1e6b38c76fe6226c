"""Thinnet: predictions for 10,000 images, from uint8 or floats as they come."""

from collections.abc import Callable

from job import Job
from thinnet import FullyConnectedNet
from thinnet.spec import Precision


def build(job: Job, precision: Precision | None = None) -> Callable[[], object]:
    """One call of ``predict`` on float32 rows."""
    X, _ = job.floats()
    dims = job.hidden_dims, job.input_dim, job.num_classes
    net = FullyConnectedNet(*dims, dropout=job.dropout, normalization="batchnorm", precision=precision, seed=0)
    return lambda: net.predict(X[:10_000])
