"""Nets: stacks of layers with their parameters, a loss and its gradients."""

from thinnet.nets.fully_connected import FullyConnectedNet as FullyConnectedNet
