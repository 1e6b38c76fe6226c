"""The features of the processor that kernels are compiled for, according to Numba's compiler."""

import functools
from typing import Any

from llvmlite import ir
from numba.core.registry import cpu_target


@functools.cache
def has(*names: str) -> bool:
    """Whether the processor has these features, by the compiler's names for them."""
    features = cpu_target.target_context.codegen().magic_tuple()[2]
    return all(f"+{name}" in features.split(",") for name in names)


HAS_TILES = has("amx-tile", "amx-bf16", "avx512bf16", "avx512bw")  # and instructions to pack numbers for them
HAS_VECTORS = has("avx2", "fma")  # with fused multiply-add
VECTOR = 64 if has("avx512f") else 32  # bytes


def declared(builder: ir.IRBuilder, name: str, kind: ir.FunctionType) -> Any:
    """A compiler intrinsic, declared in the module that is being built."""
    known = builder.module.globals
    return known[name] if name in known else ir.Function(builder.module, kind, name)
