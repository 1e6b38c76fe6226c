"""When dropout hurts: accuracy with and without it against the length of training and the number of training rows."""

from __future__ import annotations

import numpy as np

import drawing
from thinnet import FullyConnectedNet, Solver, load_digits

RATES = (0.0, 0.5)
SIZES = (50, 100, 200, 400, 997)
BATCH = 50
STEPS_PER_EPOCH = SIZES[-1] // BATCH  # with all rows
EPOCHS = (1, 2, 5, 10, 20, 50)
COLORS = {0.0: drawing.BLUE, 0.5: drawing.ORANGE}
MARKS = {0.0: "o", 0.5: "s"}
LABELS = {0.0: "without dropout", 0.5: "rate one half"}


def accuracies(rate: float, rows: int, seed: int, steps: list[int]) -> list[float]:
    """Accuracy on the 400 validation digits after so many steps."""
    data = load_digits(num_train=rows, seed=seed).standardized("global")
    net = FullyConnectedNet([200], 64, dropout=rate, weight_scale="he", seed=seed)
    solver = Solver(net, data, update_rule="adam", batch_size=BATCH, verbose=False, progress=False)
    found = []
    while len(found) < len(steps):
        solver.step()
        if solver.iteration in steps:
            found.append(solver.accuracy("val"))
    return found


def main() -> None:
    options = drawing.arguments()
    seeds, epochs = (1, EPOCHS[:2]) if options.quick else (5, EPOCHS)
    steps = [epoch * STEPS_PER_EPOCH for epoch in epochs]
    long, few = (
        {
            (rate, rows): np.array([accuracies(rate, rows, seed, at) for seed in range(seeds)])
            for rate in RATES
            for rows in sizes
        }
        for sizes, at in ((SIZES[-1:], steps), (SIZES[:-1], steps[-1:]))
    )
    by_length = {rate: list(long[rate, SIZES[-1]].T) for rate in RATES}  # one array over seeds for each length
    by_size = {rate: [(few | long)[rate, rows][:, -1] for rows in SIZES] for rate in RATES}
    titles = [f"{SIZES[-1]} digits, short and long training", f"{steps[-1]} steps, few and many digits"]
    figure, axes = drawing.panels(2, titles)
    for axis, ticks, values in zip(axes, (epochs, SIZES), (by_length, by_size), strict=True):
        for rate in RATES:
            means, spreads = [one.mean() for one in values[rate]], [one.std() for one in values[rate]]
            axis.errorbar(ticks, means, spreads, color=COLORS[rate], marker=MARKS[rate], capsize=3, label=LABELS[rate])
        axis.set_xscale("log")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
    axes[0].set_xlabel("epochs")
    axes[1].set_xlabel("training rows")
    axes[0].set_ylabel("accuracy on 400 validation digits")
    axes[0].legend(loc="lower right")
    drawing.save(figure, options.output / "when_it_hurts.svg")
    names = [f"{SIZES[-1]} rows, {step} steps" for step in steps] + [
        f"{rows} rows, {steps[-1]} steps" for rows in SIZES[:-1]
    ]
    pairs = [[*by_length[rate], *by_size[rate][:-1]] for rate in RATES]
    lines = [
        [name, *map(drawing.spread, two), drawing.spread(two[1] - two[0], "+")]
        for name, *two in zip(names, *pairs, strict=True)
    ]
    head = ["training", *LABELS.values(), "difference, seed by seed"]
    (options.output / "when_it_hurts.md").write_text(drawing.table(head, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
