"""What every layer and loss promises, for each row of the registries: a new row is covered without a change here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import ArgumentError
from thinnet.layers import LAYERS, LOSSES
from thinnet.layers.registry import Layer
from thinnet.typing import AnyArray, FloatArray

Arrays: TypeAlias = dict[str, FloatArray]

# N, D, M and the spread of the inputs.  Where a normalization sees only two values, a wide spread would make its
# gradient vanish (two values normalize to -1 and 1, whatever they are), so those shapes get a narrow one.
SHAPES = [
    (1, 1, 1, 0.01),
    (2, 2, 1, 0.01),
    (2, 3, 2, 0.01),
    (3, 2, 7, 0.01),
    (3, 3, 3, 1.0),
    (7, 7, 2, 1.0),
    (1, 7, 3, 0.01),
    (7, 1, 65, 1.0),
    (64, 3, 2, 1.0),
    (3, 65, 7, 1.0),
    (65, 64, 3, 1.0),
]
CASES = [pytest.param(name, options, id=f"{name}-{options}") for name in LAYERS for options in LAYERS[name].options]
AT_SHAPES = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s[:3])))
IN_EACH_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SMALL = (3, 7, 2, 1.0)
MOST_ELEMENTS = 60  # of an array whose elements are all checked; of larger ones so many are drawn


def draw(
    layer: Layer, shape: tuple[int, int, int, float], dtype: Any = np.float64, seed: int = 0
) -> tuple[Arrays, Arrays, FloatArray]:
    """Inputs away from the kinks, positive buffers, and a gradient with respect to the output.

    A layer with buffers takes statistics of a batch, so one row becomes two.
    """
    rng = np.random.default_rng(seed)
    sizes = dict(zip("NDM", shape[:3], strict=True))
    spread = shape[3]
    if layer.buffers and sizes["N"] == 1:
        sizes["N"] = 2

    def dims(letters: str) -> list[int]:
        return [sizes.get(letter, 3) for letter in letters.split()]

    inputs = {name: np.asarray(rng.standard_normal(dims(letters))) for name, letters in layer.inputs.items()}
    first = next(iter(inputs))
    inputs[first] *= spread
    for kink in layer.kinks:
        distance = inputs[first] - kink
        inputs[first] = kink + np.where(distance < 0, -1, 1) * (np.abs(distance) + spread / 10)
    buffers = {name: rng.uniform(0.5, 1.5, dims(letters)) for name, letters in layer.buffers.items()}
    dout = np.asarray(rng.standard_normal(dims(layer.output)))
    return (
        {name: a.astype(dtype) for name, a in inputs.items()},
        {name: a.astype(dtype) for name, a in buffers.items()},
        dout.astype(dtype),
    )


def forward(layer: Layer, inputs: Arrays, buffers: Arrays, options: dict[str, Any]) -> tuple[FloatArray, Any]:
    """The layer's output and cache, with the buffers in copies: nothing of the caller's is changed."""
    out, cache = layer.forward(*inputs.values(), *(b.copy() for b in buffers.values()), **options)
    return out, cache


def backward(layer: Layer, dout: FloatArray, cache: Any) -> Arrays:
    """The gradients by the names of the inputs."""
    gradients = layer.backward(dout, cache)
    if len(layer.inputs) == 1:
        assert isinstance(gradients, np.ndarray), "a layer of one input gives one array"
        gradients = (gradients,)
    assert isinstance(gradients, tuple)
    return dict(zip(layer.inputs, gradients, strict=True))


def elements(array: AnyArray) -> list[tuple[int, ...]]:
    """All indices of a small array; MOST_ELEMENTS of those of a large one."""
    everywhere = list(np.ndindex(array.shape))
    if len(everywhere) <= MOST_ELEMENTS:
        return everywhere
    rng = np.random.default_rng(1)
    return [everywhere[i] for i in rng.choice(len(everywhere), MOST_ELEMENTS, replace=False)]


def slope(f: Callable[[], Any], array: FloatArray, index: tuple[int, ...], h: float) -> Any:
    """The derivative of f with respect to one element, by differences of fourth order; the element is put back."""
    old = array[index]
    values = []
    for steps in (1, -1, 2, -2):
        array[index] = old + steps * h
        values.append(np.array(f()))
    array[index] = old
    near, far = values[0] - values[1], values[2] - values[3]
    return (8 * near - far) / (12 * h)


def assert_slopes(f: Callable[[], Any], array: FloatArray, gradient: FloatArray, df: Any, h: float) -> None:
    """`gradient` is that of Σ f · df with respect to `array`, to 1e-7 of the largest element."""
    places = elements(array)
    numerical = np.array([np.sum(slope(f, array, index, h) * df) for index in places])
    analytic = np.array([gradient[index] for index in places])
    largest = max(np.abs(numerical).max(initial=0), np.abs(gradient).max(initial=0))
    if largest > 1e-12:  # with one row to normalize the gradient is zero, and so is this
        assert np.abs(analytic - numerical).max() / largest < 1e-7


@AT_SHAPES
@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients_are_those_of_the_forward_pass(
    name: str, options: dict[str, Any], shape: tuple[int, int, int, float]
) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, shape)
    gradients = backward(layer, dout, forward(layer, inputs, buffers, options)[1])
    for key, array in inputs.items():
        h = 5e-4 * shape[3] if key == next(iter(inputs)) else 1e-4
        assert_slopes(lambda: forward(layer, inputs, buffers, options)[0], array, gradients[key], dout, h)


@IN_EACH_DTYPE
@AT_SHAPES
@pytest.mark.parametrize(("name", "options"), CASES)
def test_shapes_and_dtypes_are_those_of_the_inputs(
    name: str, options: dict[str, Any], shape: tuple[int, int, int, float], dtype: Any
) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, shape, dtype)
    out, cache = forward(layer, inputs, buffers, options)
    assert (out.shape, out.dtype) == (dout.shape, dtype)
    for key, gradient in backward(layer, dout, cache).items():
        assert (gradient.shape, gradient.dtype) == (inputs[key].shape, dtype), key


@pytest.mark.parametrize(("name", "options"), CASES)
def test_float32_and_float64_agree(name: str, options: dict[str, Any]) -> None:
    layer = LAYERS[name]
    results = []
    for dtype in (np.float32, np.float64):
        inputs, buffers, dout = draw(layer, (64, 65, 7, 1.0), dtype)
        out, cache = forward(layer, inputs, buffers, options)
        results.append([out, *backward(layer, dout, cache).values()])
    for single, double in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-5 * np.abs(double).max())


def laid_out(array: FloatArray) -> dict[str, FloatArray]:
    """The same values in other places of memory."""
    reversed_ = tuple(slice(None, None, -1) for _ in array.shape)
    every_other = tuple(slice(None, None, 2) for _ in array.shape)
    wide = np.full([2 * n for n in array.shape], -99, array.dtype)
    wide[every_other] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    return {
        "Fortran order": np.asfortranarray(array),
        "negative strides": array[reversed_].copy()[reversed_],
        "gaps": wide[every_other],
        "read-only": read_only,
    }


@pytest.mark.parametrize("layout", list(laid_out(np.ones((2, 2)))))
@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_layout_in_memory_does_not_matter(name: str, options: dict[str, Any], layout: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, (7, 5, 3, 1.0))
    out, cache = forward(layer, inputs, buffers, options)
    expected = [out, *backward(layer, dout, cache).values()]
    inputs = {key: laid_out(array)[layout] for key, array in inputs.items()}
    if layout != "read-only":
        buffers = {key: laid_out(array)[layout] for key, array in buffers.items()}
    out, cache = layer.forward(*inputs.values(), *(b.copy() for b in buffers.values()), **options)
    for got, wanted in zip([out, *backward(layer, laid_out(dout)[layout], cache).values()], expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-13 * np.abs(wanted).max())


def arrays_of(cache: Any) -> list[AnyArray]:
    return [part for part in cache if isinstance(part, np.ndarray)]


@IN_EACH_DTYPE
@pytest.mark.parametrize(("name", "options"), CASES)
def test_nothing_is_changed_but_the_buffers_in_training(name: str, options: dict[str, Any], dtype: Any) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, SMALL, dtype)
    before = [a.tobytes() for a in (*inputs.values(), dout)]
    buffers_before = {key: b.tobytes() for key, b in buffers.items()}
    options_before = dict(options)
    out, cache = layer.forward(*inputs.values(), *buffers.values(), **options)
    buffers_after = {key: b.tobytes() for key, b in buffers.items()}
    out_before, cache_before = out.tobytes(), [a.tobytes() for a in arrays_of(cache)]
    backward(layer, dout, cache)
    assert [a.tobytes() for a in (*inputs.values(), dout)] == before
    assert [a.tobytes() for a in arrays_of(cache)] == cache_before
    assert out.tobytes() == out_before
    assert options == options_before
    assert {key: b.tobytes() for key, b in buffers.items()} == buffers_after, "backward may not touch buffers"
    for key in buffers:
        assert (buffers_after[key] != buffers_before[key]) == options.get("training", True), key


@pytest.mark.parametrize(("name", "options"), CASES)
def test_everything_may_be_read_only_but_the_buffers_in_training(name: str, options: dict[str, Any]) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, SMALL)
    frozen = [*inputs.values(), dout, *(() if options.get("training", True) else buffers.values())]
    for array in frozen:
        array.flags.writeable = False
    _, cache = layer.forward(*inputs.values(), *buffers.values(), **options)
    for array in arrays_of(cache):
        array.flags.writeable = False
    backward(layer, dout, cache)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_results_share_no_memory_with_arguments_or_each_other(name: str, options: dict[str, Any]) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, SMALL)
    out, cache = layer.forward(*inputs.values(), *buffers.values(), **options)
    given = [*inputs.values(), *buffers.values(), dout, *arrays_of(cache)]
    gradients = list(backward(layer, dout, cache).values())
    for i, result in enumerate([out, *gradients]):
        others = [*given, *[out, *gradients][:i]]
        assert not any(np.shares_memory(result, other) for other in others)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_backward_can_be_called_again_with_the_same_cache(name: str, options: dict[str, Any]) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, SMALL)
    _, cache = forward(layer, inputs, buffers, options)
    first, second = backward(layer, dout, cache), backward(layer, dout, cache)
    doubled = backward(layer, 2 * dout, cache)
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])
        np.testing.assert_array_equal(2 * first[key], doubled[key])  # it is linear, and 2 is exact


@pytest.mark.parametrize(("name", "options"), CASES)
def test_caches_are_named_tuples(name: str, options: dict[str, Any]) -> None:
    layer = LAYERS[name]
    inputs, buffers, _ = draw(layer, SMALL)
    _, cache = forward(layer, inputs, buffers, options)
    assert isinstance(cache, tuple)
    assert type(cache).__name__.endswith("Cache")
    assert getattr(cache, "_fields", ()), "its fields have names"


@pytest.mark.parametrize(("name", "options"), CASES)
def test_empty_batches_pass_where_no_statistic_is_taken_of_them(name: str, options: dict[str, Any]) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, (0, 3, 2, 1.0))
    if layer.buffers and options.get("training", True):
        with pytest.raises(ArgumentError, match=r"x must have at least two rows in training with .*, got none"):
            forward(layer, inputs, buffers, options)
        return
    out, cache = forward(layer, inputs, buffers, options)
    assert out.shape == dout.shape
    for key, gradient in backward(layer, dout, cache).items():
        assert gradient.shape == inputs[key].shape
        assert not gradient.any()


ARGUMENTS = [
    pytest.param(name, key, id=f"{name}-{key}")
    for name, layer in LAYERS.items()
    for key in (*layer.inputs, *layer.buffers)
]
LATER_ARGUMENTS = [  # those that must fit the first
    pytest.param(name, key, id=f"{name}-{key}")
    for name, layer in LAYERS.items()
    for key in [*layer.inputs, *layer.buffers][1:]
]


def call_with(layer: Layer, key: str, value: Any) -> None:
    inputs, buffers, _ = draw(layer, SMALL)
    layer.forward(*{**inputs, **buffers, key: value}.values(), **layer.options[0])


@pytest.mark.parametrize(("name", "key"), ARGUMENTS)
def test_what_is_not_an_array_of_floats_is_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    where = re.escape(f"{layer.forward.__name__}: {key} must be a NumPy array of floats, got ")
    for value, came in (
        ([[1.0]], "list"),
        (None, "NoneType"),
        (np.ones((3, 7), np.int64), "dtype int64"),
        (np.ones((3, 7), bool), "dtype bool"),
        (np.ones((3, 7), complex), "dtype complex128"),
    ):
        with pytest.raises(ArgumentError, match=where + came + r"\. Convert it with np\.asarray\(" + key):
            call_with(layer, key, value)


@pytest.mark.parametrize(("name", "key"), ARGUMENTS)
def test_another_number_of_axes_is_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    with pytest.raises(ArgumentError, match=rf"{layer.forward.__name__}: {key} must have shape .*, got \(3, 7, 2, 1\)"):
        call_with(layer, key, np.ones((3, 7, 2, 1)))


@pytest.mark.parametrize(("name", "key"), LATER_ARGUMENTS)
def test_a_size_that_does_not_fit_is_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, _ = draw(layer, SMALL)
    given = {**inputs, **buffers}
    shape = given[key].shape
    bad = (shape[0] + 1, *shape[1:])
    letter = {**layer.inputs, **layer.buffers}[key].split()[0]
    text = rf"{layer.forward.__name__}: {key} must have shape .* with .*{letter} = {shape[0]} as in \w+.*, got "
    with pytest.raises(ArgumentError, match=text + re.escape(str(bad))):
        call_with(layer, key, np.ones(bad))


@pytest.mark.parametrize(("name", "key"), LATER_ARGUMENTS)
def test_mixed_dtypes_are_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, _ = draw(layer, SMALL)
    given = {**inputs, **buffers}
    text = rf"{layer.forward.__name__}: {key} must be of dtype float64 as x is, got float32\. Convert .*astype"
    with pytest.raises(ArgumentError, match=text):
        call_with(layer, key, given[key].astype(np.float32))


@pytest.mark.parametrize("name", LAYERS)
def test_a_gradient_that_does_not_fit_the_output_is_refused(name: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, SMALL)
    where = f"{layer.backward.__name__}: dout must "
    for options in layer.options:
        _, cache = forward(layer, inputs, buffers, options)
        for bad in (dout[:-1], dout[0], dout[None]):
            with pytest.raises(
                ArgumentError, match=where + "(have|be an array of) shape .*got " + re.escape(f"{bad.shape}")
            ):
                layer.backward(bad, cache)
        for value, came in ((dout.tolist(), "list"), (np.ones(dout.shape, int), "dtype int64")):
            with pytest.raises(ArgumentError, match=where + f"be a NumPy array of floats, got {came}"):
                layer.backward(value, cache)


def test_the_tables_name_functions_of_their_own() -> None:
    for name, layer in LAYERS.items():
        assert layer.forward.__name__ == f"{name}_forward"
        assert layer.backward.__name__ == f"{name}_backward"
    for name, loss in LOSSES.items():
        assert loss.function.__name__ == f"{name}_loss"
        assert loss.targets in ("labels", "values", "fractions")


# Losses


def draw_scores(
    name: str, rows: int, classes: int, dtype: Any = np.float64, seed: int = 0, scale: float = 2.0
) -> tuple[FloatArray, AnyArray]:
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((rows, classes)).astype(dtype) * dtype(scale)
    if LOSSES[name].targets == "values":
        return scores, rng.standard_normal((rows, classes)).astype(dtype)
    if LOSSES[name].targets == "fractions":
        return scores, rng.random((rows, classes)).astype(dtype)
    return scores, rng.integers(classes, size=rows)


LOSS_SHAPES = pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 3), (7, 7), (3, 65), (64, 2), (65, 10)])


@LOSS_SHAPES
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_of_a_loss_is_its_slope(name: str, shape: tuple[int, int]) -> None:
    function = LOSSES[name].function
    h = 1e-3
    scores, y = draw_scores(name, *shape)
    if name == "svm":  # away from the kink at margin 0
        margins = scores - scores[np.arange(len(y)), y][:, None] + 1
        margins[np.arange(len(y)), y] = 1
        for index in zip(*np.nonzero(np.abs(margins) < 4 * h), strict=True):
            scores[index] += 16 * h
    _, gradient = function(scores, y)
    assert_slopes(lambda: function(scores, y)[0] * len(scores), scores, gradient * len(scores), 1.0, h)


@IN_EACH_DTYPE
@LOSS_SHAPES
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_a_float_and_its_gradient_like_the_scores(name: str, shape: tuple[int, int], dtype: Any) -> None:
    scores, y = draw_scores(name, *shape, dtype)
    loss, gradient = LOSSES[name].function(scores, y)
    assert type(loss) is float
    assert (gradient.shape, gradient.dtype) == (shape, dtype)
    assert not np.shares_memory(gradient, scores)


@pytest.mark.parametrize("layout", list(laid_out(np.ones((2, 2)))))
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_takes_any_layout_and_changes_nothing(name: str, layout: str) -> None:
    scores, y = draw_scores(name, 7, 5)
    loss, gradient = LOSSES[name].function(scores, y)
    other, other_y = laid_out(scores)[layout], laid_out(y)[layout]
    before = other.tobytes(), other_y.tobytes()
    got, got_gradient = LOSSES[name].function(other, other_y)
    assert (other.tobytes(), other_y.tobytes()) == before
    assert got == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(got_gradient, gradient, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_mean_over_rows(name: str) -> None:
    """Repeating the batch leaves the loss alone and halves each row's gradient."""
    scores, y = draw_scores(name, 8, 5)
    loss, gradient = LOSSES[name].function(scores, y)
    twice, twice_gradient = LOSSES[name].function(np.concatenate([scores, scores]), np.concatenate([y, y]))
    assert twice == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(twice_gradient, np.concatenate([gradient, gradient]) / 2, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_loss_refuses(name: str) -> None:
    function, where = LOSSES[name].function, f"{name}_loss: "
    scores, y = draw_scores(name, 3, 4)
    for bad, text in (
        (scores.tolist(), "scores must be a NumPy array of floats, got list"),
        (scores.astype(int), "scores must be a NumPy array of floats, got dtype int64"),
        (scores[0], r"scores must have shape \(N, C\), got \(4,\)"),
    ):
        with pytest.raises(ArgumentError, match=where + text):
            function(bad, y)
    for empty in (scores[:0], scores[:, :0]):
        targets = y[: len(empty)] if LOSSES[name].targets == "labels" else empty
        text = where + "scores must have at least one row and one column, got " + re.escape(f"{empty.shape}")
        with pytest.raises(ArgumentError, match=text + ". Skip empty batches"):
            function(empty, targets)


# Layers against their definition, element by element in float64


def affine_reference(x: FloatArray, w: FloatArray, b: FloatArray, dout: FloatArray) -> list[FloatArray]:
    (N, D), M = x.shape, w.shape[1]
    out, dx, dw, db = np.zeros((N, M)), np.zeros((N, D)), np.zeros((D, M)), np.zeros(M)
    for n in range(N):
        for m in range(M):
            out[n, m] = sum(x[n, d] * w[d, m] for d in range(D)) + b[m]
            db[m] += dout[n, m]
            for d in range(D):
                dx[n, d] += dout[n, m] * w[d, m]
                dw[d, m] += x[n, d] * dout[n, m]
    return [out, dx, dw, db]


def relu_reference(x: FloatArray, dout: FloatArray) -> list[FloatArray]:
    out, dx = np.zeros(x.shape), np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            out[index], dx[index] = x[index], dout[index]
    return [out, dx]


def layernorm_reference(x: FloatArray, gamma: FloatArray, beta: FloatArray, dout: FloatArray) -> list[FloatArray]:
    """Through the whole Jacobian of each row: ∂x̂ⱼ/∂xᵢ = (δᵢⱼ − 1/D − x̂ᵢ·x̂ⱼ/D) / √(variance + ε)."""
    N, D = x.shape
    out, dx, dgamma, dbeta = np.zeros((N, D)), np.zeros((N, D)), np.zeros(D), np.zeros(D)
    for n in range(N):
        mean = sum(x[n]) / D
        std = np.sqrt(sum((value - mean) ** 2 for value in x[n]) / D + 1e-5)
        x_hat = (x[n] - mean) / std
        jacobian = (np.eye(D) - 1 / D - np.outer(x_hat, x_hat) / D) / std
        out[n] = gamma * x_hat + beta
        dx[n] = np.einsum("i,ij->j", dout[n] * gamma, jacobian)
        dgamma += dout[n] * x_hat
        dbeta += dout[n]
    return [out, dx, dgamma, dbeta]


def batchnorm_reference(x: FloatArray, gamma: FloatArray, beta: FloatArray, dout: FloatArray) -> list[FloatArray]:
    """Column by column what layer normalization does to a row of unit gain."""
    out, dx = np.zeros(x.shape), np.zeros(x.shape)
    dgamma, dbeta = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    ones, zeros = np.ones(len(x)), np.zeros(len(x))
    for d in range(x.shape[1]):
        x_hat, dx_hat, _, _ = layernorm_reference(x[:, d][None], ones, zeros, gamma[d] * dout[:, d][None])
        out[:, d], dx[:, d] = gamma[d] * x_hat[0] + beta[d], dx_hat[0]
        dgamma[d], dbeta[d] = sum(dout[:, d] * x_hat[0]), sum(dout[:, d])
    return [out, dx, dgamma, dbeta]


REFERENCES: dict[str, Callable[..., list[FloatArray]]] = {
    "affine": affine_reference,
    "relu": relu_reference,
    "layernorm": layernorm_reference,
    "batchnorm": batchnorm_reference,
}
SIZES = st.integers(1, 9)


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    N=SIZES,
    D=SIZES,
    M=SIZES,
    seed=st.integers(0, 2**32),
    offset=st.sampled_from([0.0, 1.0, -30.0]),
    spread=st.sampled_from([0.0, 0.01, 1.0, 50.0]),
)
def test_layers_do_what_their_formulas_say(
    name: str, N: int, D: int, M: int, seed: int, offset: float, spread: float
) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, (N, D, M, 1.0), seed=seed)
    first = next(iter(inputs))
    inputs[first] = inputs[first] * spread + offset
    expected = REFERENCES[name](*inputs.values(), dout)
    out, cache = forward(layer, inputs, buffers, {})
    # 1e-5 under the root divides rounding errors of x by up to 0.003
    for got, wanted in zip([out, *backward(layer, dout, cache).values()], expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-8 * (1 + np.abs(wanted).max()))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(N=SIZES, D=SIZES, seed=st.integers(0, 2**32), momentum=st.floats(0, 0.999), training=st.booleans())
def test_batchnorm_keeps_and_uses_running_statistics(
    N: int, D: int, seed: int, momentum: float, training: bool
) -> None:
    inputs, buffers, dout = draw(LAYERS["batchnorm"], (N, D, 1, 1.0), seed=seed)
    x, gamma, beta = inputs.values()
    N = len(x)
    mean, var = (b.copy() for b in buffers.values())
    out, cache = LAYERS["batchnorm"].forward(x, gamma, beta, mean, var, training=training, momentum=momentum)
    if training:
        for d in range(D):
            average = sum(x[:, d]) / N
            variance = sum((value - average) ** 2 for value in x[:, d]) / N
            assert mean[d] == pytest.approx(momentum * buffers["running_mean"][d] + (1 - momentum) * average, abs=1e-13)
            assert var[d] == pytest.approx(momentum * buffers["running_var"][d] + (1 - momentum) * variance, abs=1e-13)
        return
    std = np.sqrt(buffers["running_var"] + 1e-5)
    np.testing.assert_allclose(out, gamma * (x - buffers["running_mean"]) / std + beta, rtol=1e-12, atol=1e-12)
    dx, dgamma, dbeta = LAYERS["batchnorm"].backward(dout, cache)
    np.testing.assert_allclose(dx, dout * gamma / std, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dgamma, (dout * (x - buffers["running_mean"]) / std).sum(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(dbeta, dout.sum(axis=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["batchnorm", "layernorm"])
def test_eps_is_added_to_the_variance(name: str) -> None:
    """Of values ±1 the variance is 1, so they become ±1 / √(1 + eps)."""
    layer = LAYERS[name]
    x = np.array([[1.0, -1.0], [-1.0, 1.0]])
    _, buffers, _ = draw(layer, (2, 2, 2, 1.0))
    out, _ = layer.forward(x, np.ones(2), np.zeros(2), *buffers.values(), eps=3.0)
    np.testing.assert_allclose(out, x / 2, rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "option", "value", "text"),
    [
        ("batchnorm", "momentum", 1.0, r"momentum must be a number in \[0, 1\), got 1\.0\. momentum is the weight"),
        ("batchnorm", "momentum", np.nan, r"momentum must be a number in \[0, 1\), got nan"),
        ("batchnorm", "eps", 0, "eps must be a number > 0, got 0"),
        ("layernorm", "eps", -1e-5, "eps must be a number > 0, got -1e-05"),
        ("layernorm", "eps", "small", r"eps must be a number > 0, got 'small' \(str\)"),
    ],
)
def test_options_outside_their_limits_are_refused(name: str, option: str, value: Any, text: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, _ = draw(layer, SMALL)
    with pytest.raises(ArgumentError, match=text):
        layer.forward(*inputs.values(), *buffers.values(), **{option: value})


def test_relu_lets_nan_through_and_has_slope_zero_at_zero() -> None:
    out, cache = LAYERS["relu"].forward(np.array([[np.nan, 0.0, -0.0, np.inf, -np.inf]]))
    np.testing.assert_array_equal(out, [[np.nan, 0, 0, np.inf, 0]])
    np.testing.assert_array_equal(LAYERS["relu"].backward(np.ones((1, 5)), cache), [[0, 0, 0, 1, 0]])
