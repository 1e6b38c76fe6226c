"""The ladder on CIFAR-10: seconds to 55% from pixels compared with PyTorch, and what each idea of the recipe is worth.

``python ladder.py CONTENDER SEED`` prints ``{"seconds": ..., "accuracy": ...}``; ``python ladder.py CHANGES SEED``, the
changes as JSON, prints the accuracy of the one-minute recipe with these settings.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from thinnet import History, runs
from thinnet.config import Config
from thinnet.experiments import cifar10_ladder
from time_to_goal import torch_net

GOAL, RACE_EPOCHS, SEEDS = 0.55, 8, 3
EPOCHS = 16  # for the table of ideas: about a minute on two cores
RECIPE = cifar10_ladder.recipe_for(1, epochs=EPOCHS)

# Replacements for the recipe's own settings, one at a time.
IDEAS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "without mirror images": {"flip": "none"},
    "mirrored at random, not in turn": {"flip": "random"},
    "shifted by up to 2 as well": {"translate": 2},
    "without dropout": {"dropout": 0.0},
    "without smoothed labels": {"label_smoothing": 0.0},
    "mixup 0.2": {"mixup": 0.2},
    "averaged weights, 0.99 a step": {"ema_decay": 0.99},
    "weight decay with a cosine of its own": {"weight_decay_schedule": "cosine"},
    "layer normalization": {"normalization": "layernorm"},
    "no normalization": {"normalization": "none", "learning_rate": 1e-3},
    "a constant learning rate of 0.001": {"schedule": "constant", "learning_rate": 1e-3},
    "float32": {"precision": "none"},
}


def thinnet(seed: int) -> tuple[float, float]:
    """The one-minute recipe over fewer epochs, until the goal is reached."""
    config = replace(RECIPE, seed=seed, epochs=RACE_EPOCHS)
    _trained(replace(config, epochs=1, num_train=1000))  # compiles the kernels
    history = _trained(config)
    return _first(list(zip(history.seconds, history.val_accuracy, strict=True)))


def torch_same_recipe(seed: int) -> tuple[float, float]:
    """The same net, batches and training in PyTorch."""
    import torch

    data = runs.load(replace(RECIPE, flip="none"))
    torch.manual_seed(seed)
    X, y, X_val, y_val = (torch.from_numpy(array) for split in ("train", "val") for array in data.batch(split))
    net = torch_net(X.shape[1], RECIPE.hidden_dims, RECIPE.dropout)
    size, rate = RECIPE.batch_size, RECIPE.learning_rate
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=RECIPE.weight_decay, fused=True)
    steps = len(X) // size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=RACE_EPOCHS * steps)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=RECIPE.label_smoothing)
    turned = torch.rand(len(X)) < 0.5
    points, started = [], time.perf_counter()
    for epoch in range(RACE_EPOCHS):
        order = torch.randperm(len(X))
        net.train()
        for i in range(steps):
            rows = order[i * size : (i + 1) * size]
            images, mirrored = X[rows], turned[rows] ^ bool(epoch % 2)
            images[mirrored] = images[mirrored].view(-1, 3, 32, 32).flip(3).reshape(-1, X.shape[1])
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(images), y[rows]).backward()
            optimizer.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            accuracy = (net(X_val).argmax(dim=1) == y_val).float().mean().item()
        points.append((time.perf_counter() - started, accuracy))
    return _first(points)


def _first(points: list[tuple[float, float]]) -> tuple[float, float]:
    """The first (seconds, accuracy) that reaches the goal, or else the last one."""
    return next((point for point in points if point[1] >= GOAL), points[-1])


CONTENDERS: dict[str, Callable[[int], tuple[float, float]]] = {
    "Thinnet": thinnet,
    "PyTorch, the same recipe": torch_same_recipe,
}


def ideas_accuracy(changes: dict[str, Any], seed: int) -> float:
    """The final accuracy on the validation images."""
    config = replace(RECIPE, **changes, seed=seed)
    return _trained(config).val_accuracy[-1]


def _trained(config: Config) -> History:
    with tempfile.TemporaryDirectory() as folder:
        quiet: dict[str, Any] = {"verbose": False, "progress": False}
        return runs.start(config, Path(folder) / "run", lambda text: None, **quiet).history


def race(images: str) -> str:
    """Seconds until the goal is reached."""
    text = f"## Time to 55% from pixels\n\nThe ladder's one-minute recipe over {RACE_EPOCHS} epochs, without loading: "
    text += f"seconds until the end of the first epoch with {GOAL:.0%} of the validation images, medians of {SEEDS} "
    text += f"seeds; one process a run, in turns. {images}\n\n| | seconds | accuracy then | Thinnet's time over it |\n"
    text += "| --- | ---: | ---: | ---: |\n"
    done: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    for seed in range(SEEDS):
        for name, points in done.items():
            answer = _answer(name, seed)
            if "missing" not in answer:
                points.append((answer["seconds"], answer["accuracy"]))
    ours = [seconds for seconds, _ in done["Thinnet"]]
    for name, points in done.items():
        if not points:
            text += f"| {name} | left out: not installed | | |\n"
            continue
        seconds, accuracy = (statistics.median(values) for values in zip(*points, strict=True))
        over = statistics.median(one / other for one, (other, _) in zip(ours, points, strict=True))
        text += f"| {name} | {seconds:.1f} | {accuracy:.3f} | {over:.2f} |\n"
    return text


def ideas(images: str) -> str:
    """What each idea of the recipe is worth."""
    text = f"## What each idea is worth\n\nThe ladder's one-minute recipe over {EPOCHS} epochs with one setting "
    text += f"changed: accuracy on the validation images at the end, mean of {SEEDS} seeds. {images}\n\n"
    text += "| | accuracy | difference |\n| --- | ---: | ---: |\n"
    own = 0.0
    for name, changes in IDEAS.items():
        mean = statistics.mean(_answer(json.dumps(changes), seed)["accuracy"] for seed in range(SEEDS))
        own = mean if not changes else own
        text += f"| {name} | {mean:.3f} | {f'{mean - own:+.3f}' if changes else ''} |\n"
    return text


def _answer(what: str, seed: int) -> dict[str, Any]:
    command = [sys.executable, __file__, what, str(seed)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answer


def main(what: str, seed: str) -> None:
    """Run one contender, or the recipe with some changes, with one seed."""
    try:
        if what in CONTENDERS:
            seconds, accuracy = CONTENDERS[what](int(seed))
            print(json.dumps({"seconds": seconds, "accuracy": accuracy}))
        else:
            print(json.dumps({"accuracy": ideas_accuracy(json.loads(what), int(seed))}))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
