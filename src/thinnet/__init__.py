"""Thinnet: fully connected neural networks with dropout, on the CPU."""

__version__ = "0.1.0"
