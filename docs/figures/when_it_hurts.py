"""When dropout hurts: accuracy with and without it against training length and number of training rows."""

from __future__ import annotations

import numpy as np

import drawing
from thinnet import FullyConnectedNet, Solver, load_digits

RATES = (0.0, 0.5)
SIZES = (50, 100, 200, 400, 997)
BATCH = 50
EPOCHS = (1, 2, 5, 10, 20, 50)
COLORS = {0.0: drawing.BLUE, 0.5: drawing.ORANGE}
MARKS = {0.0: "o", 0.5: "s"}
LABELS = {0.0: "without dropout", 0.5: "rate one half"}


def accuracies(rate: float, rows: int, seed: int, steps: list[int]) -> list[float]:
    """Accuracy on the 400 validation digits after each of these numbers of steps."""
    data = load_digits(num_train=rows, seed=seed).standardized("global")
    net = FullyConnectedNet.for_data(data, [200], dropout=rate, seed=seed)
    solver = Solver(net, data, batch_size=BATCH, verbose=False, progress=False)
    found = []
    while len(found) < len(steps):
        solver.step()
        if solver.iteration in steps:
            found.append(solver.accuracy("val"))
    return found


def main() -> None:
    options = drawing.arguments()
    seeds, epochs = (1, EPOCHS[:2]) if options.quick else (5, EPOCHS)

    def measured(rate: float, rows: int, at: tuple[int, ...]) -> np.ndarray:
        """Accuracies after each of these numbers of epochs: (lengths, seeds)."""
        steps = [epoch * -(-rows // BATCH) for epoch in at]
        return np.array([accuracies(rate, rows, seed, steps) for seed in range(seeds)]).T

    by_length = {rate: measured(rate, SIZES[-1], epochs) for rate in RATES}
    by_size = {
        rate: np.concatenate([*(measured(rate, rows, epochs[-1:]) for rows in SIZES[:-1]), by_length[rate][-1:]])
        for rate in RATES
    }
    titles = [f"{SIZES[-1]} digits, short and long training", f"{epochs[-1]} epochs, few and many digits"]
    figure, axes = drawing.panels(2, titles)
    for axis, ticks, values in zip(axes, (epochs, SIZES), (by_length, by_size), strict=True):
        for rate in RATES:
            means, spreads = values[rate].mean(axis=1), values[rate].std(axis=1)
            axis.errorbar(ticks, means, spreads, color=COLORS[rate], marker=MARKS[rate], capsize=3, label=LABELS[rate])
        axis.set_xscale("log")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
    axes[0].set_xlabel("epochs")
    axes[1].set_xlabel("training rows")
    axes[0].set_ylabel("accuracy on 400 validation digits")
    axes[0].legend(loc="lower right")
    drawing.save(figure, options.output / "when_it_hurts.svg")
    names = [f"{SIZES[-1]} rows, {_steps(epoch, SIZES[-1])}" for epoch in epochs]
    names += [f"{rows} rows, {_steps(epochs[-1], rows)}" for rows in SIZES[:-1]]
    without, with_it = (np.concatenate([by_length[rate], by_size[rate][:-1]]) for rate in RATES)
    lines = [
        [name, drawing.spread(one), drawing.spread(other), drawing.spread(other - one, "+")]
        for name, one, other in zip(names, without, with_it, strict=True)
    ]
    head = ["training", *LABELS.values(), "difference, seed by seed"]
    (options.output / "when_it_hurts.md").write_text(drawing.table(head, lines), encoding="utf-8")


def _steps(epochs: int, rows: int) -> str:
    return f"{epochs} epoch{'s' if epochs > 1 else ''} of {-(-rows // BATCH)} step{'s' if rows > BATCH else ''}"


if __name__ == "__main__":
    main()
