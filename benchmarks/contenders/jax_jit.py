"""JAX: the whole step, from the row numbers to the new parameters, in one jitted function."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from job import Job


def build(job: Job, dtype: Any = jnp.float32) -> Callable[[], object]:
    """One step with donated buffers; the data stay on the device, and products take operands of `dtype`."""
    X, y = (jnp.asarray(array) for array in job.floats())
    rng = np.random.default_rng(0)
    dims = [job.input_dim, *job.hidden_dims, job.num_classes]
    params = [
        {
            "W": jnp.asarray(0.01 * rng.standard_normal((i, o)), jnp.float32),
            "b": jnp.zeros(o),
            "gamma": jnp.ones(o),
            "beta": jnp.zeros(o),
        }
        for i, o in pairwise(dims)
    ]
    zeros = jax.tree.map(jnp.zeros_like, params)
    running = [(jnp.zeros(dim), jnp.ones(dim)) for dim in job.hidden_dims]
    state: Any = (params, zeros, jax.tree.map(jnp.zeros_like, params), running, jnp.zeros((), jnp.int32))
    update = jax.jit(partial(_update, job, dtype), donate_argnums=0)
    batches, key = job.batches(), jax.random.key(0)
    held = [state]

    def step() -> float:
        held[0], loss = update(held[0], X, y, next(batches), key)
        return float(loss)

    return step


def _product(h: Any, W: Any, dtype: Any) -> Any:
    return jnp.matmul(h.astype(dtype), W.astype(dtype), preferred_element_type=jnp.float32)


def _loss(job: Job, dtype: Any, params: Any, running: Any, x: Any, y: Any, key: Any) -> tuple[Any, Any]:
    h, new_running = x, []
    for i, (layer, (mean_old, var_old)) in enumerate(zip(params[:-1], running, strict=True)):
        a = _product(h, layer["W"], dtype) + layer["b"]
        mean, var = a.mean(axis=0), a.var(axis=0)
        new_running.append((0.9 * mean_old + 0.1 * mean, 0.9 * var_old + 0.1 * var))
        n = layer["gamma"] * (a - mean) * jax.lax.rsqrt(var + 1e-5) + layer["beta"]
        keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - job.dropout, n.shape)
        h = jnp.where(keep, jax.nn.relu(n) / (1 - job.dropout), 0)
    scores = _product(h, params[-1]["W"], dtype) + params[-1]["b"]
    picked = jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], axis=1)
    return -picked.mean(), new_running


def _update(job: Job, dtype: Any, state: Any, X: Any, y: Any, rows: Any, key: Any) -> tuple[Any, Any]:
    params, m, v, running, t = state
    t = t + 1
    loss = partial(_loss, job, dtype)
    (value, running), grads = jax.value_and_grad(loss, has_aux=True)(
        params, running, X[rows], y[rows], jax.random.fold_in(key, t)
    )
    m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
    v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
    c1, c2 = 1 - 0.9**t, 1 - 0.999**t
    params = jax.tree.map(lambda w, a, b: w - job.learning_rate * (a / c1) / (jnp.sqrt(b / c2) + 1e-8), params, m, v)
    return (params, m, v, running, t), value
