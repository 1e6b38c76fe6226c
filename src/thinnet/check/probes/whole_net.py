"""A net of three layers with dropout in two functions, as in a well-known course on deep learning.

``forward_propagation_with_dropout(X, parameters, keep_prob)`` returns A3 and a cache (Z1, D1, A1, W1, b1, Z2, ..., b3),
with examples as columns; ``backward_propagation_with_dropout(X, Y, cache, keep_prob)`` returns a dict of gradients.
"""

from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, difference
from thinnet.check.p_convention import PConvention
from thinnet.check.probes.dropout_calls import RATES, check_ratios
from thinnet.check.subject import Subject
from thinnet.layers import sigmoid_forward
from thinnet.typing import AnyArray, FloatArray

FORWARD, BACKWARD = "forward_propagation_with_dropout", "backward_propagation_with_dropout"
SIZES, EXAMPLES = (12, 60, 50, 1), 80
CACHED = 14  # values in the cache


def check_forward(subject: Subject) -> None:
    """Both hidden layers' masks, rates and scales, and the output."""
    subject.convention = PConvention()  # the argument's name says what it means
    X, parameters, _ = _inputs(subject)
    for keep in RATES:
        out, cache = subject.pair(FORWARD, X, dict(parameters), keep)
        if not isinstance(cache, (tuple, list)) or len(cache) != CACHED:
            raise subject.stop("not-checked", f"its cache does not hold {CACHED} values, Z1, D1, A1, W1, ..., b3")
        below = X
        for layer in (1, 2):
            D, A = (subject.array(FORWARD, cache[5 * layer - i], f"{word}{layer}") for i, word in ((4, "D"), (3, "A")))
            plain = np.maximum(parameters[f"W{layer}"] @ below + parameters[f"b{layer}"], 0)
            _layer(subject, f"with keep_prob = {keep}, A{layer}", D, A, plain, keep)
            below = A
        expected = sigmoid_forward(parameters["W3"] @ below + parameters["b3"])[0]
        wrong = difference("A3", subject.array(FORWARD, out, "A3"), expected)
        if wrong:
            raise subject.stop(wrong.of_output, wrong.message)


def check_backward(subject: Subject) -> None:
    """Every gradient, from a right cache."""
    subject.convention = PConvention()
    X, parameters, Y = _inputs(subject)
    keep = RATES[0]
    cache = _forward(subject, X, parameters, keep)
    given = subject.call(BACKWARD, X, Y, cache, keep)
    right, known = _gradients(X, Y, cache, keep)
    if not isinstance(given, dict) or not set(given) & set(right):
        raise subject.stop("not-checked", "it does not return a dict with dA2, dW2, db2 and so on")
    for key, expected in right.items():
        if key in given:
            wrong = difference(key, subject.array(BACKWARD, given[key], key), expected, known.get(key, ()), EXAMPLES)
            if wrong:
                raise subject.stop(wrong.of_gradient, wrong.message)


def _layer(subject: Subject, what: str, D: AnyArray, A: AnyArray, plain: FloatArray, keep: float) -> None:
    """One hidden layer: A = plain * D / keep, where D is 1 for each unit kept."""
    if A.shape != plain.shape:
        raise subject.stop("shape-changed", f"{what} has shape {A.shape}, expected {plain.shape}")
    if D.shape != plain.shape and 1 in D.shape:
        raise subject.stop("mask-shared-across-batch", f"{what} is masked by an array of shape {D.shape}")
    seen = plain > 1e-3 * plain.max()  # zeros show nothing
    check_ratios(subject, what, A[seen] / plain[seen], [keep], [1 - keep], classic=False)


def _inputs(subject: Subject) -> tuple[FloatArray, dict[str, FloatArray], FloatArray]:
    rng = subject.rng
    shapes = {f"{k}{i}": (SIZES[i], SIZES[i - 1] if k == "W" else 1) for i in (1, 2, 3) for k in "Wb"}
    parameters: dict[str, FloatArray] = {name: rng.normal(size=shape) / 4 for name, shape in shapes.items()}
    return rng.normal(size=(SIZES[0], EXAMPLES)), parameters, rng.integers(0, 2, size=(1, EXAMPLES)).astype(float)


def _forward(subject: Subject, X: FloatArray, parameters: dict[str, FloatArray], keep: float) -> tuple[Any, ...]:
    """The cache of a right forward pass."""
    cache: list[Any] = []
    A = X
    for layer in (1, 2):
        W, b = parameters[f"W{layer}"], parameters[f"b{layer}"]
        Z = W @ A + b
        D = (subject.rng.random(Z.shape) < keep).astype(int)
        A = np.maximum(Z, 0) * D / keep
        cache += [Z, D, A, W, b]
    Z = parameters["W3"] @ A + parameters["b3"]
    return (*cache, Z, sigmoid_forward(Z)[0], parameters["W3"], parameters["b3"])


def _gradients(
    X: FloatArray, Y: FloatArray, cache: tuple[Any, ...], keep: float
) -> tuple[dict[str, AnyArray], dict[str, tuple[Alternative, ...]]]:
    """The right gradients, in the order in which they are computed, and known wrong ones."""
    _, D1, A1, _, _, _, D2, A2, W2, _, _, A3, W3, _ = cache
    right: dict[str, AnyArray] = {}
    known: dict[str, tuple[Alternative, ...]] = {}
    dZ = A3 - Y
    layers: tuple[tuple[int, Any, Any, Any], ...] = ((3, A2, W3, D2), (2, A1, W2, D1), (1, X, None, None))
    for layer, below, W, D in layers:
        right |= {f"dZ{layer}": dZ, f"dW{layer}": dZ @ below.T / EXAMPLES}
        right[f"db{layer}"] = dZ.sum(axis=1, keepdims=True) / EXAMPLES
        if W is not None:
            through = W.T @ dZ
            right[f"dA{layer - 1}"] = dA = through * D / keep
            known[f"dA{layer - 1}"] = (
                (through / keep, "mask-not-applied-in-backward", "is not masked"),
                (through, "mask-not-applied-in-backward", "is neither masked nor scaled"),
                (through * D, "scaled-differently-in-backward", "is masked but not scaled"),
                (through * (1 - D) / keep, "mask-inverted-in-backward", "lets through what was dropped"),
                (dA * keep / (1 - keep), "scaled-differently-in-backward", "is divided by 1 - keep_prob"),
            )
            dZ = dA * (below > 0)
    return right, known
