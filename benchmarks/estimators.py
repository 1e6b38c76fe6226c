"""The estimators compared with scikit-learn's and PyTorch's on real data sets, all with their defaults.

``python estimators.py CONTENDER DATASET SEED ...`` prints ``{"scores": [...], "seconds": [...]}``, one entry per seed:
accuracy or R² on held-out rows, and the time of ``fit``. Each contender and data set has its own process, which first
fits a few rows, so that loading and compiling code do not count.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Split = tuple[Any, Any, Any, Any]  # X_train, X_test, y_train, y_test
SEEDS = range(5)
SLOW = {"HistGradientBoosting": 500}  # with more columns than this, only one seed: a fit takes minutes
TEST_FRACTION = 0.3
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"  # overridden by the environment variable of the same name


# Data sets: each returns the split for a seed


def bundled(name: str) -> Callable[[int], Split]:
    """A data set that comes with scikit-learn, 30% of it for testing."""

    def split(seed: int) -> Split:
        from sklearn import datasets
        from sklearn.model_selection import train_test_split

        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        labels = y if name not in REGRESSION else None
        return tuple(train_test_split(X, y, test_size=TEST_FRACTION, random_state=seed, stratify=labels))

    return split


def cifar10(num_train: int, gradients: bool) -> Callable[[int], Split]:
    """Training images drawn from the first 20,000, and 2,000 test images; as pixels or oriented gradients."""

    def split(seed: int) -> Split:
        sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
        from oriented_gradients import oriented_gradients
        from thinnet import load_cifar10

        data = load_cifar10(num_train=20_000, num_val=0, num_test=2000)
        return _drawn(data, num_train, seed, oriented_gradients if gradients else np.asarray)

    return split


def fashion_mnist(seed: int) -> Split:
    """5,000 training images drawn from the first 20,000, and 2,000 test images."""
    from thinnet import load_fashion_mnist

    root = os.environ.get("FASHION_MNIST", FASHION_MNIST)
    return _drawn(load_fashion_mnist(root, num_train=20_000, num_val=0, num_test=2000), 5000, seed, np.asarray)


def _drawn(data: Any, num_train: int, seed: int, transform: Callable[[Any], Any]) -> Split:
    rows = np.random.default_rng(seed).choice(data.num_rows("train"), num_train, replace=False)
    return transform(data.X_train[rows]), transform(data.X_test), data.y_train[rows], data.y_test


REGRESSION = ("diabetes", "linnerud")
DATASETS: dict[str, Callable[[int], Split]] = {
    **{name: bundled(name) for name in ("iris", "wine", "breast_cancer", "digits", *REGRESSION)},
    "CIFAR-10, 2,000 images": cifar10(2000, gradients=False),
    "CIFAR-10, 10,000 as oriented gradients": cifar10(10_000, gradients=True),
    "Fashion-MNIST, 5,000 images": fashion_mnist,
}


# Contenders: each creates an estimator for a kind of target and a seed


def thinnet(regression: bool, seed: int, num_features: int, num_outputs: int) -> Any:
    """ThinNetClassifier or ThinNetRegressor."""
    from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

    return (ThinNetRegressor if regression else ThinNetClassifier)(random_state=seed)


def mlp(regression: bool, seed: int, num_features: int, num_outputs: int) -> Any:
    """MLPClassifier or MLPRegressor, on unscaled columns."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return (MLPRegressor if regression else MLPClassifier)(random_state=seed)


def scaled_mlp(regression: bool, seed: int, num_features: int, num_outputs: int) -> Any:
    """The same after a StandardScaler."""
    return _scaled(mlp(regression, seed, num_features, num_outputs))


def boosting(regression: bool, seed: int, num_features: int, num_outputs: int) -> Any:
    """HistGradientBoosting; one per column if there are several targets."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multioutput import MultiOutputRegressor

    if not regression:
        return HistGradientBoostingClassifier(random_state=seed)
    one = HistGradientBoostingRegressor(random_state=seed)
    return MultiOutputRegressor(one) if num_outputs > 1 else one


def linear(regression: bool, seed: int, num_features: int, num_outputs: int) -> Any:
    """Logistic or ridge regression after a StandardScaler."""
    from sklearn.linear_model import LogisticRegression, Ridge

    return _scaled(Ridge() if regression else LogisticRegression())


def skorch(regression: bool, seed: int, num_features: int, num_outputs: int) -> Any:
    """A PyTorch net with one hidden layer of 100 units and dropout 0.5, trained by skorch after a StandardScaler.

    skorch leaves the optimizer and learning rate to the user: Adam at 1e-3, 100 epochs, the rest at its defaults.
    """
    import torch
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from skorch import NeuralNetClassifier, NeuralNetRegressor

    torch.manual_seed(seed)
    layers = [
        torch.nn.Linear(num_features, 100),
        torch.nn.ReLU(),
        torch.nn.Dropout(),
        torch.nn.Linear(100, num_outputs),
    ]
    options: dict[str, Any] = {"max_epochs": 100, "optimizer": torch.optim.Adam, "lr": 1e-3, "verbose": 0}
    floats = FunctionTransformer(lambda X: np.asarray(X, np.float32))
    if not regression:
        net = NeuralNetClassifier(torch.nn.Sequential(*layers), criterion=torch.nn.CrossEntropyLoss, **options)
        return _scaled(floats, net)
    net = _scaled(floats, NeuralNetRegressor(torch.nn.Sequential(*layers), **options))

    class Floats(StandardScaler):  # type: ignore[misc]
        def transform(self, X: Any, copy: Any = None) -> Any:
            return super().transform(X, copy).astype(np.float32)

    return TransformedTargetRegressor(net, transformer=Floats(), check_inverse=False)


def _scaled(*steps: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), *steps)


CONTENDERS: dict[str, Callable[[bool, int, int, int], Any]] = {
    "**Thinnet**": thinnet,
    "MLP": mlp,
    "scaled MLP": scaled_mlp,
    "HistGradientBoosting": boosting,
    "logistic or ridge": linear,
    "skorch": skorch,
}


def run(contender: str, dataset: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Scores and seconds, or what is missing."""
    warnings.simplefilter("ignore")  # some contenders warn that they reached their own limit of epochs
    regression, answer = dataset in REGRESSION, {"scores": [], "seconds": []}
    try:
        for seed in (seeds[0], *seeds):
            X_train, X_test, y_train, y_test = DATASETS[dataset](seed)
            if len(answer["seconds"]) == 1 and X_train.shape[1] > SLOW.get(contender, math.inf):
                break
            num_outputs = len(np.unique(y_train)) if not regression else (1 if y_train.ndim == 1 else y_train.shape[1])
            if dataset == "diabetes" and contender == "skorch":
                y_train, y_test = y_train[:, None], y_test[:, None]  # it accepts only columns
            estimator = CONTENDERS[contender](regression, seed, X_train.shape[1], num_outputs)
            started = time.perf_counter()
            if not answer["seconds"] and "warm" not in answer:
                answer["warm"] = True
                estimator.fit(*_few(X_train, y_train))
                continue
            estimator.fit(X_train, y_train)
            answer["seconds"].append(time.perf_counter() - started)
            answer["scores"].append(float(estimator.score(X_test, y_test)))
            answer["shape"] = X_train.shape
    except (ImportError, OSError, ValueError) as error:
        return {"missing": f"{type(error).__name__}: {error}"}
    return answer


def _few(X: Any, y: Any) -> tuple[Any, Any]:
    """A few rows that include every class."""
    rows = np.unique(np.r_[np.arange(min(200, len(X))), np.unique(y, axis=0, return_index=True)[1][:50]])
    return X[rows], y[rows]


def section(
    datasets: Sequence[str] = tuple(DATASETS),
    contenders: Sequence[str] = tuple(CONTENDERS),
    seeds: Sequence[int] = SEEDS,
) -> str:
    """The table for BENCHMARKS.md."""
    text = (
        "## Estimators\n\nDefaults against defaults: mean accuracy (R² for diabetes and linnerud) ± standard deviation "
    )
    text += f"over {len(seeds)} seeds on rows not trained on, and the median seconds of `fit`. Thinnet's defaults were "
    text += "chosen on other data (`benchmarks/table_lists.py`). The contenders come one after the other, each in "
    text += (
        "a process of its own; scikit-learn's MLP also behind a StandardScaler, which Thinnet has inside. skorch: a "
    )
    text += "PyTorch net of 100 hidden units, dropout one half, Adam, 100 passes.\n\n"
    text += "| data | rows by columns | " + " | ".join(contenders) + " |\n| --- | ---: |" + " ---: |" * len(contenders)
    better, faster, compared = 0, 0, 0
    for dataset in datasets:
        answers = {name: _answer(name, dataset, seeds) for name in contenders}
        shape = next((one["shape"] for one in answers.values() if "shape" in one), None)
        if shape is None:
            text += f"\n| {dataset} | left out: {next(iter(answers.values()))['missing']} |" + " |" * len(contenders)
            continue
        cells = [_cell(one) for one in answers.values()]
        text += f"\n| {dataset} | {shape[0]:,} by {shape[1]:,} | " + " | ".join(cells) + " |"
        ours, peer = answers.get("**Thinnet**", {}), answers.get("MLP", {})
        if "scores" in ours and "scores" in peer:
            compared += 1
            better += statistics.mean(ours["scores"]) > statistics.mean(peer["scores"])
            faster += statistics.median(ours["seconds"]) < statistics.median(peer["seconds"])
    text += f"\n\nThinnet's mean score is above that of MLP on {better} of {compared} data sets; "
    return text + f"its fit is faster on {faster}.\n"


def _answer(contender: str, dataset: str, seeds: Sequence[int]) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__)), contender, dataset, *map(str, seeds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"missing": f"it failed: {done.stderr.strip().splitlines()[-1]}"}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _cell(answer: dict[str, Any]) -> str:
    if "missing" in answer:
        return "left out"
    scores, seconds = answer["scores"], statistics.median(answer["seconds"])
    spread = f"± {statistics.stdev(scores):.3f}" if len(scores) > 1 else "(1 seed)"
    return f"{statistics.mean(scores):.3f} {spread}, {seconds:.2g} s"


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(run(sys.argv[1], sys.argv[2], [int(seed) for seed in sys.argv[3:]])))
    else:
        print(section())
