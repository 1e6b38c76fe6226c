"""How each scaling of dropout changes mean and variance: the ratio of training to test, for activations of digits."""

from __future__ import annotations

import numpy as np

import drawing
from thinnet import FullyConnectedNet, load_digits
from thinnet.layers import affine_forward, dropout_forward, relu_forward
from thinnet.layers.dropout import SCALINGS, Scaling

RATES = (0.1, 0.25, 0.5, 0.75, 0.9)
COLORS = {"inverted": drawing.BLUE, "classic": drawing.ORANGE, "unscaled": drawing.GREEN}
MARKS = {"inverted": "o", "classic": "s", "unscaled": "^"}


def hidden() -> np.ndarray:
    """The output of the first hidden layer of an untrained net for 997 digits: (997, 500)."""
    data = load_digits().standardized("global")
    net = FullyConnectedNet.for_data(data, [500], seed=0)
    return relu_forward(affine_forward(data.batch("train")[0], net.params["W1"], net.params["b1"])[0])[0]


def ratios(h: np.ndarray, rate: float, scaling: Scaling) -> tuple[float, float]:
    """Mean and variance of dropout's output in training mode, divided by those in test mode."""
    training, test = (
        dropout_forward(h, rate, training=mode, scaling=scaling, seed=0)[0].astype(np.float64) for mode in (True, False)
    )
    return training.mean() / test.mean(), training.var() / test.var()


def main() -> None:
    options = drawing.arguments()
    h = hidden()
    measured = {scaling: [ratios(h, rate, scaling) for rate in RATES] for scaling in SCALINGS}
    figure, axes = drawing.panels(2, ["Mean, training over test", "Variance, training over test"])
    for number, axis in enumerate(axes):
        for scaling, values in measured.items():
            style = {"color": COLORS[scaling], "marker": MARKS[scaling]}
            # inverted and classic coincide: draw one dashed, so that both are visible
            style["linestyle"] = (0, (4, 3)) if scaling == "classic" else "-"
            style["zorder"] = 3 if scaling == "classic" else 2
            axis.plot(RATES, [one[number] for one in values], label=scaling, **style)
        axis.set_xlabel("rate, the fraction dropped")
    axes[0].set_ylim(0, 1.1)
    axes[1].set_yscale("log")
    axes[0].legend(loc="lower left")
    drawing.save(figure, options.output / "scalings.svg")
    rows = [
        [str(rate), *(f"{measured[scaling][i][which]:.2f}" for which in (0, 1) for scaling in SCALINGS)]
        for i, rate in enumerate(RATES)
    ]
    head = ["rate", *(f"{what}, {scaling}" for what in ("mean", "variance") for scaling in SCALINGS)]
    (options.output / "scalings.md").write_text(drawing.table(head, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
