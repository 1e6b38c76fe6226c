"""What every layer promises, for each entry in the registry; new entries are tested automatically."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layer_draws import CASES, IN_EACH_DTYPE, LAYOUTS, SHAPES, SMALL, backward, draw, forward, laid_out
from thinnet import ArgumentError
from thinnet.layers import LAYERS, LOSSES
from thinnet.typing import AnyArray


@IN_EACH_DTYPE
@pytest.mark.parametrize(("name", "options"), CASES)
def test_shapes_and_dtypes_are_those_of_the_inputs(name: str, options: dict[str, Any], dtype: Any) -> None:
    layer = LAYERS[name]
    for shape in SHAPES:
        inputs, buffers, dout = draw(layer, shape, dtype)
        out, cache = forward(layer, inputs, buffers, options)
        assert (out.shape, out.dtype) == (dout.shape, dtype), shape
        for key, gradient in backward(layer, dout, cache).items():
            assert (gradient.shape, gradient.dtype) == (inputs[key].shape, dtype), (key, shape)


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


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_layout_in_memory_does_not_matter(name: str, options: dict[str, Any], layout: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, (7, 5, 3, 1.0))
    out, cache = forward(layer, inputs, buffers, options)
    expected = [out, *backward(layer, dout, cache).values()]
    inputs, buffers = ({key: laid_out(a)[layout] for key, a in given.items()} for given in (inputs, buffers))
    out, cache = layer.forward(*inputs.values(), *buffers.values(), **options)  # no copies: they have the usual layout
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
        np.testing.assert_array_equal(2 * first[key], doubled[key])  # backward is linear, and doubling is exact


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


def test_the_tables_name_functions_of_their_own() -> None:
    for name, layer in LAYERS.items():
        assert layer.forward.__name__ == f"{name}_forward"
        assert layer.backward.__name__ == f"{name}_backward"
    for name, loss in LOSSES.items():
        assert loss.function.__name__ == f"{name}_loss"
        assert loss.targets in ("labels", "values", "fractions", "counts")
