"""Load images and tables from disk into a `Dataset`."""

from thinnet.data.cifar10 import load_cifar10
from thinnet.data.dataset import Dataset
from thinnet.data.digits import load_digits
from thinnet.data.fashion_mnist import load_fashion_mnist

__all__ = ["Dataset", "load_cifar10", "load_digits", "load_fashion_mnist"]
