"""Every way to compute a training step matches the readable step: masks bit for bit, values up to rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import kernels
from thinnet.kernels import philox
from thinnet.kernels.thinning import copy_kept
from thinnet.layers import ACTIVATIONS, LOSSES
from thinnet.layers.batchnorm import EPS
from thinnet.layers.dropout import SCALINGS
from thinnet.masks import keep_mask
from thinnet.products import blocked
from thinnet.products.choose import products as products_by
from thinnet.spec import NORMALIZATIONS, Spec
from thinnet.state import State
from thinnet.steps import choose
from thinnet.steps.base import Batch, Gradients
from thinnet.steps.fused import FusedStep
from thinnet.steps.readable import ReadableStep
from thinnet.steps.thinned import ThinnedStep

ROUNDING = {"float32": 2e-4, "float64": 1e-11}
WIDTHS = st.sampled_from([3, 5, 17, 64, 65, 130])

OWN = pytest.param("thinnet", marks=pytest.mark.skipif(not blocked.usable(), reason="this processor has no AVX2"))
each_products = pytest.mark.parametrize("products", ["numpy", OWN])


def smoothed(spec: Spec) -> Spec:
    """Two of three specs with label smoothing, if the loss supports it."""
    return spec.replace(label_smoothing=(0, 0.1, 0.75)[spec.seed % 3]) if LOSSES[spec.loss].smooths else spec


SPECS = st.builds(
    Spec,
    hidden_dims=st.lists(WIDTHS, max_size=3),
    input_dim=st.sampled_from([1, 6, 33]),
    num_classes=st.sampled_from([3, 7]),
    dropout=st.sampled_from([0.0, 0.1, 0.5, 0.75]),
    scaling=st.sampled_from(SCALINGS),
    normalization=st.sampled_from(NORMALIZATIONS),
    activation=st.sampled_from(list(ACTIVATIONS)),
    loss=st.sampled_from(list(LOSSES)),
    reg=st.sampled_from([0.0, 0.3]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**64 - 1),
).map(smoothed)


def drawn_state(spec: Spec) -> State:
    """Parameters and statistics that are never 0 or 1."""
    generator = np.random.default_rng(3)
    state = State.initial(spec)
    state.params.flat[:] += 0.1 * generator.standard_normal(state.params.flat.size)
    state.running.flat[:] += generator.random(state.running.flat.size)
    return state


def drawn_batch(spec: Spec, rows: int, step: int, weighted: bool) -> Batch:
    generator = np.random.default_rng(rows)
    X = generator.standard_normal((rows, spec.input_dim)).astype(spec.dtype)
    if LOSSES[spec.loss].targets == "labels":
        y: Any = generator.integers(spec.num_classes, size=rows)
    else:
        y = generator.random((rows, spec.num_classes)).astype(spec.dtype)
    weights = generator.integers(4, size=rows).astype(spec.dtype) if weighted else None
    return Batch(X, y, weights, step)


def assert_equal_steps(spec: Spec, got: Gradients, wanted: Gradients, states: tuple[State, State]) -> None:
    """Equal up to rounding, relative to the largest element of each array, or of the net if the array's are tiny."""
    tolerance = ROUNDING[spec.dtype.name]
    assert got.loss == pytest.approx(wanted.loss, rel=tolerance, abs=tolerance)
    params = states[1].params
    gradients, expected = got.whole(params), wanted.whole(params)
    largest = float(np.abs(expected.flat).max())
    for name in expected:
        scale = max(float(np.abs(expected[name]).max(initial=0)), 0.1 * largest, 1e-3)
        if (
            spec.normalization == "batchnorm"
            and name[0] == "b"
            and name[1:].isdigit()
            and int(name[1:]) < spec.num_layers
        ):
            scale = (
                scale / EPS**0.5
            )  # the gradient is zero, but if a unit is constant, the terms that cancel out are this much larger
        np.testing.assert_allclose(gradients[name], expected[name], rtol=0, atol=tolerance * scale, err_msg=name)
    for name in states[1].running:
        np.testing.assert_allclose(states[0].running[name], states[1].running[name], rtol=tolerance, atol=tolerance)


@each_products
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_step_follows_the_net_to_other_arrays(products: str, normalization: Any) -> None:
    """Arrays prepared for one state and number of rows are not used for another, nor old buffers."""
    spec = Spec((17, 5), 6, 3, dropout=0.5, normalization=normalization, seed=4)
    step, state, other = choose.training_step(spec, 40, products=products), drawn_state(spec), State.initial(spec)

    def assert_as_new(state: State, rows: int) -> None:
        batch, alone = drawn_batch(spec, rows, rows, weighted=False), state.copy()
        wanted = choose.training_step(spec, rows, products=products).compute(alone, batch)
        got = step.compute(state, batch)
        assert got.loss == wanted.loss
        np.testing.assert_array_equal(got.arrays.flat, wanted.arrays.flat)
        np.testing.assert_array_equal(state.running.flat, alone.running.flat)

    for each, rows in ((state, 40), (state, 40), (other, 40), (other, 7), (state, 7)):
        assert_as_new(each, rows)
    for arrays in (state.params, state.running):
        arrays.flat.flags.writeable = False
        arrays.make_writable()
        arrays.flat[:] *= 0.5
        assert_as_new(state, 7)


@each_products
@settings(max_examples=250)
@given(
    spec=SPECS,
    rows=st.sampled_from([3, 4, 17, 40]),
    step=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
)
def test_the_chosen_step_is_the_readable_one(products: str, spec: Spec, rows: int, step: int, weighted: bool) -> None:
    batch, states = drawn_batch(spec, rows, step, weighted), (drawn_state(spec), drawn_state(spec))
    chosen = choose.training_step(spec, max_rows=rows + 5, products=products)
    for again in range(2):  # the second time with used buffers
        moved = replace(batch, step=(step + again) % 2**32)
        got = chosen.compute(states[0], moved)
        wanted = ReadableStep(spec, rows).compute(states[1], moved)
        assert_equal_steps(spec, got, wanted, states)
    np.testing.assert_array_equal(states[0].params.flat, drawn_state(spec).params.flat)


@each_products
@settings(max_examples=120)
@given(
    spec=SPECS.filter(lambda spec: spec.dtype == np.float32),
    rows=st.sampled_from([3, 17, 40]),
    step=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
    thinned=st.booleans(),
)
def test_a_step_of_mixed_precision_rounds_what_the_readable_one_rounds(
    products: str, spec: Spec, rows: int, step: int, weighted: bool, thinned: bool
) -> None:
    """A number halfway between two bfloat16 numbers may be rounded up in one and down in the other, hence the limits.
    Normalization may amplify that, as it does with any rounding error.
    """
    mask: Any = "batch" if thinned and spec.normalization != "layernorm" else "element"
    exact = spec.replace(dropout_mask=mask)
    spec = exact.replace(precision="bfloat16")
    batch, state = drawn_batch(spec, rows, step, weighted), drawn_state(spec)
    inner = FusedStep(spec, products_by(products, rounded=True), rows + 5)
    chosen = ThinnedStep(spec, inner, philox.keep_units, copy_kept) if spec.thins else inner
    readable, unrounded = (choose.training_step(each, rows, fused=False) for each in (spec, exact))
    results = [each.compute(drawn_state(spec), batch) for each in (chosen, readable, unrounded)]
    got, wanted, other = (each.loss for each in results)
    assert abs(got - wanted) <= 4e-3 * (1 + abs(wanted)) + 2 * abs(wanted - other)
    got_all, wanted_all, other_all = (each.whole(state.params).flat.astype(np.float64) for each in results)
    limit = 0.02 * np.linalg.norm(wanted_all) + 1e-3 + 2 * np.linalg.norm(wanted_all - other_all)
    assert np.linalg.norm(got_all - wanted_all) <= limit


@each_products
def test_operands_of_mixed_precision_are_rounded_bit_for_bit(products: str) -> None:
    """With weights and inputs of few bits, all products are exact, in any order of summation."""
    generator = np.random.default_rng(0)
    spec = Spec([64], 16, 4, loss="mse", activation="identity", precision="bfloat16", seed=0)
    state, exact = State.initial(spec), generator.integers(-3, 4, (16, 16)).astype(np.float32)
    state.params.flat[:] = generator.integers(-2, 3, state.params.flat.size)
    finer = replace(spec, precision=None)
    fine = exact * np.float32(1 + 2**-12)  # rounds to `exact`
    batch = Batch(fine, np.zeros((16, 4), np.float32))
    got = FusedStep(spec, products_by(products, rounded=True), 16).compute(state, batch)
    wanted = ReadableStep(spec, 16).compute(state, batch)
    unrounded = ReadableStep(finer, 16).compute(state, batch)
    np.testing.assert_array_equal(got.arrays.flat, wanted.arrays.flat)
    assert (got.arrays["W1"] != unrounded.arrays["W1"]).any()


@each_products
@settings(max_examples=100)
@given(
    spec=SPECS.filter(lambda spec: spec.normalization != "layernorm"),
    rows=st.sampled_from([3, 17]),
    step=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
    fused=st.booleans(),
)
def test_a_thinned_step_is_the_whole_one_with_a_shared_mask(
    products: str, spec: Spec, rows: int, step: int, weighted: bool, fused: bool
) -> None:
    """Except for the penalty, which includes only the weights of kept units, and statistics of dropped units."""
    spec = spec.replace(dropout_mask="batch", reg=0.0, dropout=spec.dropout or 0.5)
    batch, states = drawn_batch(spec, rows, step, weighted), (drawn_state(spec), drawn_state(spec))
    got = choose.training_step(spec, rows, fused=fused, products=products).compute(states[0], batch)
    wanted = ReadableStep(spec, rows).compute(states[1], batch)
    before = drawn_state(spec)
    for number, width in enumerate(spec.hidden_dims, start=1):
        keep = keep_mask(spec.dropout, (1, width), seed=spec.seed, step=step, layer=number - 1)[0]
        for name in (name for name in states[1].running if name.endswith(str(number))):
            np.testing.assert_array_equal(states[0].running[name][~keep], before.running[name][~keep])
            states[1].running[name][~keep] = before.running[name][~keep]
    assert_equal_steps(spec, got, wanted, states)


@settings(max_examples=100)
@given(spec=SPECS, rows=st.sampled_from([4, 17, 40]), parts=st.sampled_from([2, 3]), weighted=st.booleans())
def test_parts_of_a_minibatch_add_up_to_the_whole(spec: Spec, rows: int, parts: int, weighted: bool) -> None:
    """Each part gets the positions of its rows in the whole, as in several processes; a part may have no rows."""
    if spec.normalization == "batchnorm":  # its parts would wait for each other's sums
        spec = spec.replace(normalization=None)
    batch, states = drawn_batch(spec, rows, 5, weighted), [drawn_state(spec) for _ in range(parts + 1)]
    whole = choose.training_step(spec, rows).compute(states[-1], batch)
    total, loss = states[-1].params.zeros_like(), 0.0
    edges = [0, *sorted(np.random.default_rng(rows).integers(0, rows + 1, parts - 1).tolist()), rows]
    for part in range(parts):
        positions = np.arange(edges[part], edges[part + 1])
        some = Batch(
            batch.X[positions],
            batch.y[positions],
            None if batch.weights is None else batch.weights[positions],
            batch.step,
            positions,
            total=rows,
        )
        computed = choose.training_step(spec, rows).compute(states[part], some)
        total.flat[:] += computed.arrays.flat
        loss += computed.loss
    assert_equal_steps(spec, Gradients(loss, total), whole, (states[0], states[0]))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", [None, "layernorm"])  # a single row cannot be normalized over its batch
def test_masks_are_bit_for_bit_those_of_the_layers(activation: str, normalization: Any) -> None:
    """For a single row, a unit was dropped if and only if its outgoing weights get no gradient."""
    options: dict[str, Any] = {"normalization": normalization, "activation": activation, "dropout": 0.5}
    spec = Spec([130], 6, 3, loss="mse", dtype="float64", seed=77, **options)
    state = drawn_state(spec)
    if activation == "relu":  # all units positive, so that zeros come only from dropout
        state.params["b1" if normalization is None else "beta1"][:] = 50
    step = choose.training_step(spec, 1)
    for number in (0, 1, 7):
        computed = step.compute(state, drawn_batch(spec, 1, number, weighted=False))
        dropped = (computed.arrays["W2"] == 0).all(axis=1)
        np.testing.assert_array_equal(~dropped, keep_mask(0.5, (1, 130), seed=77, step=number, layer=0)[0])


@each_products
@settings(max_examples=60)
@given(spec=SPECS, rows=st.sampled_from([1, 17, 40]))
def test_chosen_scores_are_the_readable_ones(products: str, spec: Spec, rows: int) -> None:
    state, X = drawn_state(spec), np.random.default_rng(rows).standard_normal((rows, spec.input_dim)).astype(spec.dtype)
    how = {"products": products}
    got, wanted = (choose.scorer(spec, state, 40, fused=fused, **how).scores(X) for fused in (True, False))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=ROUNDING[spec.dtype.name] * max(1, np.abs(wanted).max()))


def test_a_net_is_fused_where_it_can_be() -> None:
    """Otherwise all tests above would compare the readable step with itself."""
    if not kernels.available():
        pytest.skip("Numba is not installed, so there is one way only")
    spec = Spec([5], 4, 3, seed=0)
    assert type(choose.training_step(spec, 8)).__name__ == "FusedStep"
    assert type(choose.training_step(spec, 8, fused=False)).__name__ == "ReadableStep"
    assert choose.products_name(spec, True, "numpy") == choose.products_name(spec, False, None) == "numpy"
    thinned = spec.replace(dropout=0.5, dropout_mask="batch")
    assert type(choose.training_step(thinned, 8)).__name__ == "ThinnedStep"


def test_an_activation_without_a_kernel_is_computed_by_its_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "another", ACTIVATIONS["tanh"])
    spec = Spec([5], 4, 3, activation="another", dropout=0.5, seed=0)
    batch, rounding = drawn_batch(spec, 8, 0, False), ROUNDING["float32"]
    for mask in ("element", "batch"):
        other, tanh = (spec.replace(dropout_mask=mask, activation=name) for name in ("another", "tanh"))
        got, wanted = (choose.training_step(net, 8).compute(drawn_state(net), batch) for net in (other, tanh))
        np.testing.assert_allclose(got.arrays.flat, wanted.arrays.flat, rtol=rounding, atol=rounding)
        X = np.asarray(batch.X)
        scores, expected = (choose.scorer(net, drawn_state(net), 8).scores(X).copy() for net in (other, tanh))
        np.testing.assert_allclose(scores, expected, rtol=rounding, atol=rounding)
