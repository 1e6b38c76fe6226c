"""ThreeLayerConvNet, and TwoLayerNet of either assignment: initial values, scores, loss, gradients and penalty."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from thinnet.check.compare import close, difference
from thinnet.check.probes.net import judge
from thinnet.check.probes.net_penalty import check_penalty
from thinnet.check.probes.net_plain import wrongly_begun
from thinnet.check.probes.net_trial import C, D, N, Options, Trial
from thinnet.check.unit import Unit, parameters
from thinnet.layers import conv_forward, max_pool_forward, softmax_loss
from thinnet.typing import FloatArray, IntArray

H, REG = 7, 0.3
IMAGE, FILTERS, SIZE = (3, 6, 6), 2, 3  # square inputs in three colors, how many filters, and their size
Shapes = dict[str, tuple[int, ...]]
BIG: Options = {"input_dim": (3, 8, 8), "num_filters": 30, "filter_size": 5, "hidden_dim": 40, "num_classes": 20}


class TwoLayers(Trial):
    """affine → ReLU → affine; the hidden units have other names in other years."""

    basis: Options = {  # noqa: RUF012 -- never changed
        **Trial.basis,
        "hidden_dim": H,
        "hidden_dims": H,
        "hidden_size": H,
        "input_size": D,
        "output_size": C,
        "std": 0.1,
    }
    large: Options = {  # noqa: RUF012
        "input_dim": 50, "input_size": 50, "hidden_dim": 40, "hidden_dims": 40, "hidden_size": 40,
        "num_classes": 20, "output_size": 20,
    }  # fmt: skip
    shapes: Shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}  # noqa: RUF012
    turned = False  # whether the weights stand as (outputs, inputs), as in one course's first assignment

    def construct(self, hidden: list[int], options: Options) -> Any:
        """Call the constructor, which takes no list of hidden units."""
        return self.owner(**options)

    def fresh(self, hidden: tuple[int, ...], options: Options) -> Any:
        """A net whose biases are vectors: some begin with the number 0, and training makes a vector of it."""
        net = super().fresh(hidden, options)
        for key, shape in self.shapes.items():
            if len(shape) == 1 and key in net.params and np.ndim(net.params[key]) == 0:
                net.params[key] = np.full(shape, net.params[key], dtype=float)
        return net

    def plain_scores(self, net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula."""
        W1, b1, W2, b2 = (np.asarray(net.params[key]) for key in self.shapes)
        W1, W2 = (W1.T, W2.T) if self.turned else (W1, W2)
        return np.asarray(np.maximum(X @ W1 + b1, 0) @ W2 + b2)


class ConvNet(TwoLayers):
    """convolution → ReLU → 2 x 2 pooling → affine → ReLU → affine."""

    basis: Options = {  # noqa: RUF012
        **Trial.basis,
        "input_dim": IMAGE,
        "num_filters": FILTERS,
        "filter_size": SIZE,
        "hidden_dim": H,
    }
    large = BIG
    shapes: Shapes = {  # noqa: RUF012
        "W1": (FILTERS, IMAGE[0], SIZE, SIZE), "b1": (FILTERS,),
        "W2": (FILTERS * (IMAGE[1] // 2) * (IMAGE[2] // 2), H), "b2": (H,), "W3": (H, C), "b3": (C,),
    }  # fmt: skip

    def data(self, rows: int = N) -> tuple[FloatArray, IntArray]:
        """A batch of images; the same at each call."""
        rng = np.random.default_rng(11)
        return rng.normal(size=(rows, *IMAGE)), rng.integers(0, C, size=rows)

    def plain_scores(self, net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula."""
        W1, b1, W2, b2, W3, b3 = (np.asarray(net.params[key], dtype=float) for key in self.shapes)
        h = np.maximum(conv_forward(X, W1, b1.reshape(-1), padding=(SIZE - 1) // 2)[0], 0)
        rows = max_pool_forward(h)[0].reshape(len(X), -1)
        return np.asarray(np.maximum(rows @ W2 + b2, 0) @ W3 + b3)


class FirstNet(TwoLayers):
    """The first assignment's net: loss takes reg, for 0.5 · reg · ΣW² or twice that; and it trains itself."""

    share = 1.0  # of reg, for the years in which it is not halved

    def __init__(self, unit: Unit, *rest: Any) -> None:
        super().__init__(unit, *rest)
        own = {f"{unit.name}.predict": _call_predict, f"{unit.name}.train": _call_train, self.loss_name: self._loss}
        self.unit.functions = {**self.unit.functions, **own}
        self.unit.owns += tuple(own)

    def _loss(self, net: Any, X: FloatArray, *y: IntArray) -> Any:
        return net.loss(X, *y, reg=self.share * net.reg) if y else net.loss(X)

    def fresh(self, hidden: tuple[int, ...], options: Options) -> Any:
        """A net with reg as an attribute, as the later one has it."""
        net = super().fresh(hidden, options)
        net.reg = options.get("reg", 0.0)
        return net


def check_three_layers(unit: Unit) -> None:
    """The convolutional net."""
    owner, arguments = _class_of(unit)
    _demand(unit, arguments, {"input_dim", "num_filters", "filter_size", "hidden_dim", "num_classes"})
    judge(unit, partial(ConvNet, unit, owner, arguments), lambda _: [_plain, _first_values, _penalty])


def check_two_layers(unit: Unit) -> None:
    """The net of two layers, of the first assignment or of the second."""
    owner, arguments = _class_of(unit)
    if "input_size" in arguments and "reg" in parameters(getattr(owner, "loss", None)):
        _demand(unit, arguments, {"input_size", "hidden_size", "output_size"})
        probes: list[Callable[[Trial], None]] = [_plain, _first_values, _penalty, _predict, _train]
        judge(unit, partial(FirstNet, unit, owner, arguments), lambda _: probes)
        return
    _demand(unit, arguments, {"input_dim", "num_classes"})
    judge(unit, partial(TwoLayers, unit, owner, arguments), lambda _: [_plain, _first_values, _penalty])


def _class_of(unit: Unit) -> tuple[type, list[str]]:
    owner = unit.functions[unit.owns[0]]
    if not isinstance(owner, type):
        raise unit.stop("not-checked", f"it is a {type(owner).__name__}, expected a class")
    known = inspect.signature(owner).parameters.values() if parameters(owner) else ()
    if not any(one.kind is one.VAR_KEYWORD for one in known):
        return owner, parameters(owner)
    names = ["input_dim", "num_classes", "weight_scale", "reg"]
    for hidden in ("hidden_dim", "hidden_dims"):
        with contextlib.suppress(Exception):  # it does not take this name
            owner(**{hidden: 2}, input_dim=2, num_classes=2, weight_scale=1.0, reg=0.0)
            return owner, [*names, hidden]
    return owner, parameters(owner)


def _demand(unit: Unit, arguments: list[str], needed: set[str]) -> None:
    """Only the courses' own constructors are judged."""
    if not needed <= set(arguments):
        raise unit.stop("not-checked", f"its constructor takes ({', '.join(arguments)}), which is of another course")


def _plain(trial: Trial) -> None:
    """Parameters and their shapes, scores, loss and gradients."""
    assert isinstance(trial, TwoLayers)
    net = trial.build()
    got = {key: np.shape(value) for key, value in net.params.items()}
    shapes = trial.shapes
    if isinstance(trial, FirstNet) and got.get("W1") == shapes["W1"][::-1]:
        trial.turned = True
        shapes = {key: shape[::-1] for key, shape in shapes.items()}
    if set(got) != set(shapes):
        raise trial.unit.stop("wrong-return", f"params has the keys {sorted(map(str, got))}, expected {sorted(shapes)}")
    for key, shape in shapes.items():
        if got[key] != shape and got[key] != (1, *shape):  # a row of biases is as good: it broadcasts
            raise trial.unit.stop("wrong-return", f"params[{key!r}] has shape {got[key]}, expected {shape}")
    X, y = trial.data()
    expected = trial.plain_scores(net, X)
    wrong = difference("the scores of loss(X)", trial.scores(net, X), expected)
    if wrong:
        raise trial.unit.stop("wrong-output", wrong.words)
    loss, grads = trial.loss(net, X, y)
    wrong = difference("the loss", np.asarray(loss), softmax_loss(expected, y)[0], batch=N)
    if wrong:
        raise trial.unit.stop("wrong-output", wrong.words)
    trial.numerically(net, X, y, grads)


def _first_values(trial: Trial) -> None:
    """Weights of the standard deviation asked for, biases of zero."""
    assert isinstance(trial, TwoLayers)
    name = next((one for one in ("weight_scale", "std") if one in trial.arguments), None)
    for scale in (0.01, 0.3) if name else ():
        net = trial.fresh((), {**trial.large, str(name): scale})
        wrong = [text.replace("weight_scale", str(name)) for text in wrongly_begun(net.params, scale)]
        if wrong:
            trial.unit.find("initial-values", "; ".join(wrong[:3]))
            return


def _penalty(trial: Trial) -> None:
    """The L2 penalty; the first assignment's may be twice the later ones'."""
    if isinstance(trial, FirstNet):
        net, (X, y) = trial.build(reg=REG), trial.data()
        added = trial.loss(net, X, y)[1]["W1"] - trial.loss(trial.build(), X, y)[1]["W1"]
        trial.share = 0.5 if close(added, 2 * REG * net.params["W1"]) else 1.0
    check_penalty(trial, {})


def _call_predict(net: Any, X: FloatArray) -> Any:
    return net.predict(X)


def _call_train(net: Any, X: FloatArray, y: IntArray) -> Any:
    """200 steps; whatever it returns, or nothing, will do."""
    options = {"learning_rate": 0.1, "learning_rate_decay": 1.0, "reg": 0.0, "num_iters": 200, "batch_size": 20}
    net.train(X, y, X, y, **options)
    return True


def _predict(trial: Trial) -> None:
    """The class of the largest score."""
    net, (X, _), name = trial.build(), trial.data(50), f"{trial.unit.name}.predict"
    labels = trial.unit.array(name, trial.unit.call(name, net, X), "what predict(X) returns")
    right = trial.plain_scores(net, X).argmax(axis=1)
    if labels.shape != right.shape or np.any(labels != right):
        share = (
            f"{np.mean(labels == right):.0%} of the labels" if labels.shape == right.shape else f"shape {labels.shape}"
        )
        trial.unit.find("wrong-output", f"predict(X) agrees with the largest scores in {share}")


def _train(trial: Trial) -> None:
    """Training on data that are easily told apart lowers the loss."""
    net, (X, y) = trial.fresh((), {}), trial.data(40)
    X = X + 3 * np.eye(C, D)[y]
    before = {key: np.array(value) for key, value in net.params.items()}
    start = trial.loss(net, X, y)[0]
    trial.unit.call(f"{trial.unit.name}.train", net, X, y)
    end = trial.loss(net, X, y)[0]
    told = f"after 200 steps of train at learning_rate 0.1 the loss is {end:.4g}, before it was {start:.4g}"
    if all(np.array_equal(net.params[key], before[key]) for key in before):
        trial.unit.find("wrong-update", f"{told}: no parameter has changed")
    elif not end < 0.9 * start:
        trial.unit.find("update-uphill" if end > start else "wrong-update", told)
