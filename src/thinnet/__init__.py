"""Thinnet: fully connected neural networks with dropout, on the CPU.

How data flows: `load_cifar10`, `load_digits` and `load_fashion_mnist` return a `Dataset`. A `Solver` draws minibatches
from it for a `FullyConnectedNet`, a stack of the forward/backward function pairs in `thinnet.layers`. The rules in
`thinnet.optim` update its parameters, and the `History` records the run.
"""

from thinnet import ctrl_c, layers, optim, schedules  # noqa: F401
from thinnet.callbacks import Callback, EarlyStopping
from thinnet.data import Dataset, load_cifar10, load_digits, load_fashion_mnist
from thinnet.errors import ArgumentError, CheckpointError, DataError, NumericalError, ThinnetError
from thinnet.gradient_check import GradientError, check_gradients
from thinnet.history import History
from thinnet.nets import FullyConnectedNet
from thinnet.solver import Solver

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "Callback",
    "CheckpointError",
    "DataError",
    "Dataset",
    "EarlyStopping",
    "FullyConnectedNet",
    "GradientError",
    "History",
    "NumericalError",
    "Solver",
    "ThinnetError",
    "check_gradients",
    "layers",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "optim",
    "schedules",
]
