"""CIFAR-10 as the course's notebooks expect it."""

from thinnet.course.data_utils import get_CIFAR10_data as get_CIFAR10_data
from thinnet.course.data_utils import load_CIFAR10 as load_CIFAR10
from thinnet.course.data_utils import load_CIFAR_batch as load_CIFAR_batch
from thinnet.course.finder import left_out as _left_out

__getattr__ = _left_out(__name__, "load_pickle load_tiny_imagenet load_models load_imagenet_val")
