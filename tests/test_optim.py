"""The optimizers: one contract for every entry in the registry, their first steps by hand, and the flat pass."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

from thinnet import optim
from thinnet.optim import CHUNK, OPTIMIZERS, FlatOptimizer
from thinnet.typing import FloatArray

OF_EACH = pytest.mark.parametrize("name", OPTIMIZERS)
IN_EACH_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(shape: tuple[int, ...] = (4, 3), dtype: Any = np.float64, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape).astype(dtype)


def as_bytes(config: dict[str, Any]) -> dict[str, Any]:
    return {key: v.tobytes() if isinstance(v, np.ndarray) else v for key, v in config.items()}


@IN_EACH_DTYPE
@OF_EACH
def test_a_rule_changes_none_of_its_arguments(name: str, dtype: Any) -> None:
    rule = OPTIMIZERS[name].rule
    w, dw = draw(dtype=dtype)
    w.flags.writeable = dw.flags.writeable = False
    config: dict[str, Any] = {"learning_rate": 0.1}
    for _ in range(3):
        before = as_bytes(config)
        for value in config.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        new, new_config = rule(w, dw, config)
        assert as_bytes(config) == before
        assert new_config is not config
        assert not np.shares_memory(new, w)
        assert not np.shares_memory(new, dw)
        w, config = new, new_config
        w.flags.writeable = False


@IN_EACH_DTYPE
@OF_EACH
def test_a_rule_keeps_shape_and_dtype(name: str, dtype: Any) -> None:
    for shape in ((1,), (3,), (4, 3), (2, 3, 4)):
        w, dw = draw(shape, dtype)
        config: dict[str, Any] | None = None
        for _ in range(2):
            w, config = OPTIMIZERS[name].rule(w, dw, config)
            assert w.shape == shape
            assert w.dtype == dtype
            for key in set(OPTIMIZERS[name].state) - {"t"}:
                assert config[key].shape == shape
                assert config[key].dtype == dtype


@OF_EACH
def test_the_config_holds_the_defaults_and_the_state(name: str) -> None:
    row = OPTIMIZERS[name]
    assert row.rule is getattr(optim, name)
    assert "learning_rate" in row.defaults
    defaults = copy.deepcopy(row.defaults)
    _, config = row.rule(*draw(), None)
    assert set(config) == {*row.defaults, *row.state}
    assert {key: config[key] for key in row.defaults} == defaults
    for key, default in row.defaults.items():
        _, config = row.rule(*draw(), {key: default / 2})
        assert config[key] == default / 2
    assert row.defaults == defaults


@OF_EACH
def test_a_rule_counts_its_steps_if_it_counts_at_all(name: str) -> None:
    w, dw = draw()
    config: dict[str, Any] | None = None
    for step in range(1, 4):
        w, config = OPTIMIZERS[name].rule(w, dw, config)
        assert config.get("t", step) == step


@OF_EACH
def test_equal_arguments_give_equal_bits(name: str) -> None:
    w, dw = draw()
    assert (
        OPTIMIZERS[name].rule(w, dw, None)[0].tobytes() == OPTIMIZERS[name].rule(w.copy(), dw.copy(), {})[0].tobytes()
    )


@OF_EACH
def test_elements_do_not_mix(name: str) -> None:
    w, dw = draw((40,))
    whole, _ = OPTIMIZERS[name].rule(w, dw, None)
    halves = [OPTIMIZERS[name].rule(w[half], dw[half], None)[0] for half in (slice(0, 20), slice(20, 40))]
    np.testing.assert_array_equal(whole, np.concatenate(halves))


@IN_EACH_DTYPE
@OF_EACH
def test_a_gradient_of_zero_leaves_weights_alone_but_for_decay(name: str, dtype: Any) -> None:
    w, _ = draw(dtype=dtype)
    new, _ = OPTIMIZERS[name].rule(w, np.zeros_like(w), None)
    decay = 1 - OPTIMIZERS[name].defaults["learning_rate"] * OPTIMIZERS[name].defaults.get("weight_decay", 0)
    np.testing.assert_array_equal(new, w * dtype(decay))


@OF_EACH
def test_a_learning_rate_of_zero_leaves_weights_alone(name: str) -> None:
    w, dw = draw()
    np.testing.assert_array_equal(OPTIMIZERS[name].rule(w, dw, {"learning_rate": 0.0})[0], w)


FIRST_STEPS: dict[str, Any] = {
    "sgd": lambda w, dw: w - 0.1 * dw,
    "sgd_momentum": lambda w, dw: w - 0.1 * dw,
    "nesterov": lambda w, dw: w - 0.1 * 1.9 * dw,
    "rmsprop": lambda w, dw: w - 0.1 * dw / (np.sqrt(0.01 * dw**2) + 1e-8),
    "adam": lambda w, dw: w - 0.1 * dw / (np.abs(dw) + 1e-8),
    "adamw": lambda w, dw: (1 - 0.1 * 0.01) * w - 0.1 * dw / (np.abs(dw) + 1e-8),
    "lion": lambda w, dw: w - 0.1 * dw / np.abs(dw),
}


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_the_first_step_is_the_closed_form(name: str) -> None:
    w, dw = draw((50,))
    new, _ = OPTIMIZERS[name].rule(w, dw, {"learning_rate": 0.1})
    np.testing.assert_allclose(new, FIRST_STEPS[name](w, dw), rtol=1e-12, atol=1e-14)


def test_five_steps_of_each_rule_by_hand() -> None:
    """One weight, in plain numbers, with no hyperparameter at its default."""
    gradients = [0.5, -1.0, 2.0, 0.1, 0.7]
    eta, mu, rho, beta1, beta2, epsilon, decay = 0.3, 0.8, 0.7, 0.6, 0.95, 1e-3, 0.2
    w = dict.fromkeys(OPTIMIZERS, 1.5)
    heavy = nesterov = cache = m = v = slow = 0.0
    for t, g in enumerate(gradients, start=1):
        w["sgd"] -= eta * g
        heavy = mu * heavy - eta * g
        w["sgd_momentum"] += heavy
        old, nesterov = nesterov, mu * nesterov - eta * g
        w["nesterov"] += -mu * old + (1 + mu) * nesterov  # as CS231n writes it
        cache = rho * cache + (1 - rho) * g**2
        w["rmsprop"] -= eta * g / (math.sqrt(cache) + epsilon)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        adam = eta * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + epsilon)
        w["adam"] -= adam
        w["adamw"] = w["adamw"] - eta * decay * w["adamw"] - adam
        w["lion"] = w["lion"] - eta * decay * w["lion"] - math.copysign(eta, beta1 * slow + (1 - beta1) * g)
        slow = beta2 * slow + (1 - beta2) * g
    options = {
        "learning_rate": eta,
        "momentum": mu,
        "decay_rate": rho,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "weight_decay": decay,
    }
    for name in FIRST_STEPS:
        row = OPTIMIZERS[name]
        array, _ = draw((1,))
        array[0], config = 1.5, {key: options[key] for key in row.defaults}
        for g in gradients:
            array, config = row.rule(array, np.array([g]), config)
        assert array[0] == pytest.approx(w[name], rel=1e-12), name


@OF_EACH
def test_a_quadratic_is_minimized(name: str) -> None:
    """½ Σ a·(w − c)² with curvatures from 1 to 10."""
    curvature, target = np.linspace(1, 10, 7), np.linspace(-1, 1, 7)
    w: FloatArray = np.zeros_like(target)
    config: dict[str, Any] = {"learning_rate": 0.05}
    if "weight_decay" in OPTIMIZERS[name].defaults:
        config["weight_decay"] = 0.0
    distances = []
    for step in range(600):
        if step == 400:  # rules that normalize the gradient circle the target at about the distance of the rate
            config["learning_rate"] = 0.002
        w, config = OPTIMIZERS[name].rule(w, curvature * (w - target), config)
        distances.append(float(np.abs(w - target).max()))
    assert distances[-1] < 0.005
    assert distances[0] > 0.5


# The flat pass


@IN_EACH_DTYPE
@OF_EACH
@pytest.mark.parametrize("size", [0, 1, 5, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
@pytest.mark.usefixtures("without_kernels")
def test_the_flat_pass_is_the_rule_bit_for_bit(name: str, size: int, dtype: Any) -> None:
    w, dw = draw((size,), dtype)
    flat, config = w.copy(), {"learning_rate": 0.01}
    optimizer = FlatOptimizer(name, {"learning_rate": 0.01}, like=flat)
    for step in range(3):
        gradient = dw * dtype(step + 1)
        before = gradient.tobytes()
        optimizer.inplace_update(flat, gradient)
        w, config = OPTIMIZERS[name].rule(w, gradient, config)
        assert flat.tobytes() == w.tobytes()
        assert gradient.tobytes() == before
    assert as_bytes(optimizer.state) == as_bytes({key: config[key] for key in OPTIMIZERS[name].state})


@IN_EACH_DTYPE
@OF_EACH
@pytest.mark.parametrize("size", [0, 1, 7, CHUNK + 1])
def test_the_flat_pass_is_the_rule_to_rounding_however_it_is_computed(name: str, size: int, dtype: Any) -> None:
    w, dw = draw((size,), dtype)
    flat, config = w.copy(), {"learning_rate": 0.01}
    optimizer = FlatOptimizer(name, {"learning_rate": 0.01}, like=flat)
    for step in range(4):
        gradient = dw * dtype(step - 1.5)
        before = gradient.tobytes()
        optimizer.inplace_update(flat, gradient)
        assert gradient.tobytes() == before
        w, config = OPTIMIZERS[name].rule(w, gradient, config)
        np.testing.assert_allclose(flat, w, rtol=0, atol=20 * np.finfo(dtype).eps * (1 + np.abs(w).max(initial=0)))
    for key, value in optimizer.state.items():
        np.testing.assert_allclose(value, config[key], rtol=20 * np.finfo(dtype).eps, err_msg=key)


@OF_EACH
def test_a_flat_optimizer_takes_defaults_and_keeps_options_and_state(name: str) -> None:
    options = {"learning_rate": 0.5}
    optimizer = FlatOptimizer(name, options, like=np.zeros(3, np.float32))
    assert optimizer.options == {**OPTIMIZERS[name].defaults, "learning_rate": 0.5}
    assert FlatOptimizer(name, None, like=np.zeros(3)).options == OPTIMIZERS[name].defaults
    assert tuple(optimizer.state) == OPTIMIZERS[name].state
    for key, value in optimizer.state.items():
        assert not np.any(value)
        assert key == "t" or (value.shape == (3,) and value.dtype == np.float32)
    assert options == {"learning_rate": 0.5}


@OF_EACH
def test_a_hyperparameter_given_with_the_step_replaces_the_configured_one(name: str) -> None:
    w, dw = draw((20,))
    first, second, third = w.copy(), w.copy(), w.copy()
    FlatOptimizer(name, {"learning_rate": 0.2}, like=w).inplace_update(first, dw)
    optimizer = FlatOptimizer(name, {"learning_rate": 0.7}, like=w)
    optimizer.inplace_update(second, dw, {"learning_rate": 0.2})
    assert first.tobytes() == second.tobytes()
    assert optimizer.options["learning_rate"] == 0.7
    FlatOptimizer(name, {"learning_rate": 0.7}, like=w).inplace_update(third, dw, {"learning_rate": 0})
    np.testing.assert_array_equal(third, w)


@OF_EACH
def test_two_flat_optimizers_share_nothing(name: str) -> None:
    w, dw = draw((5,))
    one, other = (FlatOptimizer(name, None, like=w) for _ in range(2))
    one.inplace_update(w.copy(), dw)
    assert not any(np.any(value) for value in other.state.values())


# Subnormal numbers


def wide(size: int, dtype: Any, seed: int) -> FloatArray:
    """Normal (not subnormal) numbers of all orders of magnitude up to 1."""
    rng, lowest = np.random.default_rng(seed), math.log10(np.finfo(dtype).tiny)
    numbers: FloatArray = (rng.choice([-1, 1], size) * 10 ** rng.uniform(lowest, 0, size)).astype(dtype)
    return numbers


def num_small(x: FloatArray, least: float) -> int:
    return int(((x != 0) & (np.abs(x) < least)).sum())


@IN_EACH_DTYPE
@OF_EACH
@pytest.mark.usefixtures("computed_by")
def test_what_decays_becomes_zero_and_never_subnormal(name: str, dtype: Any) -> None:
    """The gradient is only that of a penalty; Lion, whose steps have constant size, gets weight decay instead."""
    options = {"beta2": 0.9, "decay_rate": 0.9, "learning_rate": 0.1} | (
        {"weight_decay": 1.0} if name == "lion" else {}
    )
    normalizes = name in ("rmsprop", "adam", "adamw")  # the gradient, unless it is as small as epsilon
    w = draw((40,), dtype)[0] * dtype(1e-9 if normalizes else 1)
    known = {key: value for key, value in options.items() if key in OPTIMIZERS[name].defaults}
    optimizer, tiny = FlatOptimizer(name, known, like=w), float(np.finfo(dtype).tiny)
    for step in range(2000 if dtype == np.float32 else 16_000):
        optimizer.inplace_update(w, w * dtype(0 if name == "lion" and step else 1e-8 if normalizes else 1))
        if step % 20 == 0:
            assert num_small(w, math.sqrt(tiny)) == 0
            assert all(key == "t" or num_small(value, tiny) == 0 for key, value in optimizer.state.items())
            if not w.any() and not any(np.any(value) for key, value in optimizer.state.items() if key != "t"):
                break
    assert not w.any()
    assert not any(np.any(value) for key, value in optimizer.state.items() if key != "t")


@IN_EACH_DTYPE
@OF_EACH
@pytest.mark.parametrize("seed", range(3))
def test_the_same_numbers_become_zero_by_kernels_and_without(
    name: str, dtype: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, tiny = 3000, float(np.finfo(dtype).tiny)
    w, dw = wide(size, dtype, seed), wide(size, dtype, seed + 10)
    state = {key: wide(size, dtype, seed + 20) for key in OPTIMIZERS[name].state}
    state = {key: np.abs(value) if key in ("v", "cache") else value for key, value in state.items() if key != "t"}
    results = []
    for _ in range(2):
        rate = {"learning_rate": 0.0} if name == "lion" else None  # Lion's steps leave no weight small
        flat, optimizer = w.copy(), FlatOptimizer(name, rate, like=w)
        optimizer.state |= {key: value.copy() for key, value in state.items()}
        optimizer.inplace_update(flat, dw)
        results.append([flat, *(optimizer.state[key] for key in state)])
        monkeypatch.setattr("thinnet.kernels.available", lambda: False)
    for number, (one, other) in enumerate(zip(*results, strict=True)):
        np.testing.assert_array_equal(one == 0, other == 0)
        assert num_small(one, tiny if number else math.sqrt(tiny)) == 0
    assert (results[0][0] == 0).any()


@IN_EACH_DTYPE
@OF_EACH
@pytest.mark.usefixtures("computed_by")
def test_what_is_not_a_number_stays_so(name: str, dtype: Any) -> None:
    w = np.ones(20, dtype)
    FlatOptimizer(name, None, like=w).inplace_update(w, np.full(20, np.nan, dtype))
    assert np.isnan(w).all()
