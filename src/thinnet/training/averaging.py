"""WeightAverage: the exponential moving average of a net's weights during training."""

from collections.abc import Iterator
from contextlib import contextmanager

from thinnet.errors import NumericalError
from thinnet.nets import FullyConnectedNet
from thinnet.parameters import Parameters
from thinnet.steps import choose
from thinnet.teams import ONE_THREAD, Team, share_out


class WeightAverage:
    r"""The exponential moving average of all that inference depends on: parameters and running statistics.

    It starts with the weights of the first step. Each later step t, counted from 1, moves it toward the new weights w:

        a ← d·a + (1 − d)·w        d = min(decay, (1 + t) / (10 + t))

    so it follows closely at first, and the early weights are soon forgotten. Each step costs one more pass over the
    weights, which reads two numbers and writes one per weight; Adam reads four and writes three.

    Args:
        net: the net whose weights are averaged.
        decay: the fraction of the average to keep, 0 < decay < 1; it spans about 1 / (1 − decay) steps.
        team: the threads that may share the work.

    Attributes:
        params, running: the average.
        count: the number of steps averaged.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), for averaging weights;
    TensorFlow's ``tf.train.ExponentialMovingAverage(decay, num_updates)``, for how it starts.

    >>> net = FullyConnectedNet([], input_dim=1, num_classes=1, loss="mse")
    >>> average = WeightAverage(net, 0.999)
    >>> for value in (4.0, 5.0):
    ...     net.params["b1"] = [value]
    ...     average.update()
    >>> round(float(average.params["b1"][0]), 2)  # 2/11 of the 4 are kept
    4.82
    """

    def __init__(self, net: FullyConnectedNet, decay: float, team: Team = ONE_THREAD) -> None:
        self.net, self.decay, self.team = net, decay, team
        self.params, self.running = net.params.zeros_like(), net.running.zeros_like()
        self.count = 0

    def update(self) -> None:
        """Update the average with the net's weights after a step."""
        portion = 1 - min(self.decay, (1 + self.count) / (10 + self.count))
        for average, own in self._pairs():
            if self.count:
                what = average.flat, own.flat, own.dtype.type(portion)
                share_out(self.team, own.flat.size, choose.average(fused=self.net.fused), *what)
            else:
                average.flat[:] = own.flat
        self.count += 1

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Put the average in the net within the block.

        On a NumericalError, the net keeps its weights: the last good ones, which were restored.
        """
        self._exchange()
        try:
            yield
        except NumericalError:
            self.count = 0
            raise
        finally:
            self._exchange()

    def finish(self) -> None:
        """Put the average in the net, and start a new one with the next step."""
        self._exchange()
        self.count = 0

    def _pairs(self) -> tuple[tuple[Parameters, Parameters], ...]:
        return (self.params, self.net.params), (self.running, self.net.running)

    def _exchange(self) -> None:
        if self.count:
            for average, own in self._pairs():
                average.flat[:], own.flat[:] = own.flat.copy(), average.flat.copy()
