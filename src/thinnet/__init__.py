"""Thinnet: fully connected neural networks with dropout, on the CPU.

The way of the data: `load_cifar10`, `load_digits` and `load_fashion_mnist` give a `Dataset`; a `Solver` draws
minibatches from it for a `FullyConnectedNet`, which is a stack of the pairs of functions in `thinnet.layers`; the
rules in `thinnet.optim` change its parameters; the `History` tells how it went.
"""

from thinnet import layers as layers
from thinnet import optim as optim
from thinnet import schedules as schedules
from thinnet.callbacks import Callback as Callback
from thinnet.callbacks import EarlyStopping as EarlyStopping
from thinnet.data import Dataset as Dataset
from thinnet.data import load_cifar10 as load_cifar10
from thinnet.data import load_digits as load_digits
from thinnet.data import load_fashion_mnist as load_fashion_mnist
from thinnet.errors import ArgumentError as ArgumentError
from thinnet.errors import DataError as DataError
from thinnet.errors import ThinnetError as ThinnetError
from thinnet.gradient_check import GradientError as GradientError
from thinnet.gradient_check import check_gradients as check_gradients
from thinnet.history import History as History
from thinnet.nets import FullyConnectedNet as FullyConnectedNet
from thinnet.solver import Solver as Solver

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "Callback",
    "DataError",
    "Dataset",
    "EarlyStopping",
    "FullyConnectedNet",
    "GradientError",
    "History",
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
