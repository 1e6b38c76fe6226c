"""JAX with operands of bfloat16 in all products."""

from collections.abc import Callable

import jax.numpy as jnp

from contenders import jax_jit
from job import Job


def build(job: Job) -> Callable[[], object]:
    """As `jax_jit.build`."""
    return jax_jit.build(job, jnp.bfloat16)
