"""When dropout hurts: accuracy with and without it against the length of training and the number of training rows."""

from __future__ import annotations

import drawing
import numpy as np

from thinnet import FullyConnectedNet, Solver, load_digits

RATES = (0.0, 0.5)
BATCH = 50
SIZES = (50, 100, 200, 400, 997)
EPOCHS = (1, 2, 5, 10, 20, 50)
COLORS = {0.0: drawing.BLUE, 0.5: drawing.ORANGE}
MARKS = {0.0: "o", 0.5: "s"}
LABELS = {0.0: "without dropout", 0.5: "rate one half"}


def accuracies(rate: float, rows: int, seed: int, steps: int) -> list[float]:
    """Accuracy on the 400 validation digits after each epoch, in so many steps of 50 rows, or a few less."""
    data = load_digits(num_train=rows, seed=seed).standardized("global")
    epochs = steps // (rows // BATCH)
    net = FullyConnectedNet([200], 64, dropout=rate, weight_scale="he", seed=seed)
    solver = Solver(
        net,
        data,
        update_rule="adam",
        batch_size=BATCH,
        num_epochs=epochs,
        num_train_samples=1,
        verbose=False,
        progress=False,
    )
    return solver.train().val_accuracy[-epochs:]


def main() -> None:
    options = drawing.arguments()
    seeds, epochs = (1, EPOCHS[:2]) if options.quick else (5, EPOCHS)
    steps = epochs[-1] * (SIZES[-1] // BATCH)
    curves = {
        (rate, rows): np.array([accuracies(rate, rows, seed, steps) for seed in range(seeds)])
        for rate in RATES
        for rows in SIZES
    }
    figure, axes = drawing.panels(2, ["997 digits, short and long training", f"{steps} steps, few and many digits"])
    lines: list[list[str]] = []
    for axis, ticks in zip(axes, (epochs, SIZES), strict=True):
        for rate in RATES:
            values = [curves[rate, 997][:, e - 1] if axis is axes[0] else curves[rate, e][:, -1] for e in ticks]
            means, spreads = [v.mean() for v in values], [v.std() for v in values]
            axis.errorbar(ticks, means, spreads, color=COLORS[rate], marker=MARKS[rate], capsize=3, label=LABELS[rate])
        axis.set_xscale("log")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
    axes[0].set_xlabel("epochs")
    axes[1].set_xlabel("training rows")
    axes[0].set_ylabel("accuracy on 400 validation digits")
    axes[0].legend(loc="lower right")
    drawing.save(figure, options.output / "when_it_hurts.svg")
    pairs = [(f"997 rows, {e * 19} steps ({e} epoch{'s' * (e > 1)})", [curves[rate, 997][:, e - 1] for rate in RATES]) for e in epochs]
    pairs += [(f"{size} rows, {steps} steps", [curves[rate, size][:, -1] for rate in RATES]) for size in SIZES[:-1]]
    for name, (without, with_it) in pairs:
        change = with_it - without
        cells = [f"{values.mean():.3f} ± {values.std():.3f}" for values in (without, with_it)]
        lines.append([name, *cells, f"{change.mean():+.3f} ± {change.std():.3f}"])
    head = ["training", *LABELS.values(), "difference, seed by seed"]
    (options.output / "when_it_hurts.md").write_text(drawing.table(head, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
