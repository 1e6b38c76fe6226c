"""Monte Carlo dropout: what the spread of thinned nets reveals about digits that a net never saw."""

from __future__ import annotations

import numpy as np

import drawing
from thinnet import Dataset, FullyConnectedNet, Solver, load_digits
from thinnet.nets.monte_carlo import monte_carlo_scores

KNOWN = 8  # the net is trained on digits 0 to 7, then tested with 8 and 9 as well
DRAWS = 100


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def auc(high: np.ndarray, low: np.ndarray) -> float:
    """How often a value of `high` is above one of `low`; ties count half."""
    return float((high[:, None] > low).mean() + (high[:, None] == low).mean() / 2)


def uncertainties(seed: int, epochs: int) -> tuple[dict[str, np.ndarray], np.ndarray, float, float]:
    """For each test row, three measures of doubt and whether its class is known; then accuracy on known rows, test mode
    and Monte Carlo."""
    whole = load_digits(seed=seed)
    seen = whole.y_train < KNOWN
    data = Dataset(whole.X_train[seen], whole.y_train[seen]).standardized("global")
    net = FullyConnectedNet.for_data(data, [200, 200], dropout=0.5, seed=seed)
    Solver(net, data, batch_size=50, epochs=epochs, verbose=False, progress=False).train()
    X = (whole.X_test.astype(np.float32) - data.shift.astype(np.float32)) * data.scale.astype(np.float32)
    once = net.predict_proba(X)
    draws = softmax(monte_carlo_scores(net, X, DRAWS, seed=seed))
    known = whole.y_test < KNOWN
    doubts = {
        "1 − highest probability, test mode": 1 - once.max(axis=1),
        "1 − highest mean probability": 1 - draws.mean(axis=0).max(axis=1),
        "spread of the winner's probability": draws.std(axis=0)[np.arange(len(X)), draws.mean(axis=0).argmax(axis=1)],
    }
    right = [(p.argmax(axis=1) == whole.y_test)[known].mean() for p in (once, draws.mean(axis=0))]
    return doubts, known, float(right[0]), float(right[1])


def main() -> None:
    options = drawing.arguments()
    seeds, epochs = (1, 2) if options.quick else (5, 30)
    results = [uncertainties(seed, epochs) for seed in range(seeds)]
    doubts, known, *_ = results[0]
    figure, axes = drawing.panels(2, ["In test mode", f"{DRAWS} thinned nets"])
    names = list(doubts)
    for axis, name in zip(axes, (names[0], names[2]), strict=True):
        bins = np.linspace(0, doubts[name].max(), 16)
        kinds = ((known, drawing.BLUE, "digits 0 to 7"), (~known, drawing.ORANGE, "8 and 9, never seen"))
        for rows, color, label in kinds:
            weights = np.full(rows.sum(), 1 / rows.sum())
            axis.hist(doubts[name][rows], bins, weights=weights, histtype="step", linewidth=2, color=color, label=label)
        axis.set_xlabel(name)
    axes[0].set_ylabel("fraction of the test digits")
    axes[0].legend(loc="upper right")
    drawing.save(figure, options.output / "monte_carlo.svg")
    areas = {name: np.array([auc(d[name][~k], d[name][k]) for d, k, *_ in results]) for name in names}
    rows = [[name, drawing.spread(values)] for name, values in areas.items()]
    for way, number in (("test mode", 2), (f"mean of {DRAWS} thinned nets", 3)):
        rows.append([f"accuracy on known digits, {way}", drawing.spread(np.array([one[number] for one in results]))])
    text = drawing.table(["measured", "mean ± deviation, 5 seeds"], rows)
    (options.output / "monte_carlo.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
