"""Dropout before batch normalization: how much running variances differ from those in test mode, and what it costs."""

from __future__ import annotations

from unittest import mock

import numpy as np

import drawing
from thinnet import FullyConnectedNet, Solver, load_digits
from thinnet.data import Dataset
from thinnet.layers import affine_forward
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps import readable
from thinnet.steps.base import Batch
from thinnet.typing import FloatArray

RATES = (0.0, 0.25, 0.5, 0.75)
DIMS = (100, 100, 100)
HIDDEN_FORWARD = readable.hidden_forward


def behind_the_norms(
    spec: Spec, state: State, i: int, h: FloatArray, training: Batch | None
) -> tuple[FloatArray, tuple]:
    """Hidden layer i, counted from 1, with dropout only in the last one, after all batch normalizations."""
    is_last = i == spec.num_layers - 1
    return HIDDEN_FORWARD(spec if is_last else spec.replace(dropout=0.0), state, i, h, training)


def trained(rate: float, data: Dataset, seed: int, epochs: int) -> FullyConnectedNet:
    """A trained net, with the weights of the last step."""
    net = FullyConnectedNet.for_data(data, DIMS, dropout=rate, normalization="batchnorm", seed=seed)
    net.fused = False  # use the separate layer functions
    solver = Solver(net, data, batch_size=50, epochs=epochs, verbose=False, progress=False)
    while solver.iteration < solver.num_iterations:
        solver.step()
    return net


def trained_behind(rate: float, data: Dataset, seed: int, epochs: int) -> FullyConnectedNet:
    """The same, with dropout only after the last batch normalization."""
    with mock.patch.object(readable, "hidden_forward", behind_the_norms):
        return trained(rate, data, seed, epochs)


def inputs_of_norms(net: FullyConnectedNet, X: FloatArray) -> list[FloatArray]:
    """The input of each batch normalization in test mode, for the training rows."""
    inputs = []
    for i in range(1, net.num_layers):
        inputs.append(affine_forward(X, net.params[f"W{i}"], net.params[f"b{i}"])[0])
        X, _ = HIDDEN_FORWARD(net.spec, net.state, i, X, None)
    return inputs


def shift(net: FullyConnectedNet, X: FloatArray) -> list[float]:
    """For each batch normalization, the median over units of test-mode variance divided by running variance."""
    pairs = enumerate(inputs_of_norms(net, X), start=1)
    return [float(np.median(z.var(axis=0) / net.running[f"running_var{i}"])) for i, z in pairs]


def with_statistics_of_test_mode(net: FullyConnectedNet, X: FloatArray) -> FullyConnectedNet:
    """A copy whose running statistics are recomputed from the training rows in test mode, layer by layer."""
    other = net.copy()
    for i in range(1, net.num_layers):
        z = inputs_of_norms(other, X)[i - 1]
        other.running[f"running_mean{i}"], other.running[f"running_var{i}"] = z.mean(axis=0), z.var(axis=0)
    return other


def main() -> None:
    options = drawing.arguments()
    seeds, epochs = (1, 1) if options.quick else (5, 20)
    shifts: dict[float, list[list[float]]] = {rate: [] for rate in RATES}
    accuracy: dict[tuple[str, float], list[float]] = {}
    for seed in range(seeds):
        data = load_digits(num_train=300, seed=seed).standardized("global")
        X, _ = data.batch("train")
        X_test, y_test = data.batch("test")
        for rate in RATES:
            net = trained(rate, data, seed, epochs)
            shifts[rate].append(shift(net, X))
            after = trained_behind(rate, data, seed, epochs)
            nets = {"before": net, "mended": with_statistics_of_test_mode(net, X), "after": after}
            for name, one in nets.items():
                accuracy.setdefault((name, rate), []).append(float((one.predict(X_test) == y_test).mean()))
    draw(shifts, accuracy, options.output)


def draw(shifts: dict, accuracy: dict, output: drawing.Path) -> None:
    """Write the figure and its table."""
    figure, axes = drawing.panels(2, ["Variance in test mode over running variance", "Accuracy on 400 test digits"])
    colors = [drawing.BLUE, drawing.ORANGE, drawing.GREEN]
    for layer in range(len(DIMS)):
        means = [np.mean([one[layer] for one in shifts[rate]]) for rate in RATES]
        axes[0].plot(RATES, means, color=colors[layer], marker="os^"[layer], label=f"normalization {layer + 1}")
    names = {
        "before": "dropout in every layer",
        "mended": "the same, statistics measured again",
        "after": "dropout behind the last normalization",
    }
    for (name, label), color, mark in zip(names.items(), colors, "os^", strict=True):
        values = np.array([accuracy[name, rate] for rate in RATES])
        axes[1].errorbar(RATES, values.mean(1), values.std(1), color=color, marker=mark, capsize=3, label=label)
    axes[0].set_ylim(0, 1.2)
    for axis in axes:
        axis.set_xlabel("rate")
        axis.legend(loc="lower left", fontsize=9)
    drawing.save(figure, output / "variance_shift.svg")
    rows = [
        [
            str(rate),
            *(f"{np.mean([one[layer] for one in shifts[rate]]):.2f}" for layer in range(len(DIMS))),
            *(drawing.spread(np.array(accuracy[name, rate])) for name in names),
        ]
        for rate in RATES
    ]
    head = ["rate", *(f"ratio, norm {i + 1}" for i in range(len(DIMS))), *names.values()]
    (output / "variance_shift.md").write_text(drawing.table(head, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
