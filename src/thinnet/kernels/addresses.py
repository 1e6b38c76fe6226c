"""Kernels that others call through an address, so that they are compiled once, whoever calls them.

A kernel that calls another one by name gets a copy of it, compiled again. A kernel called by address takes what C
functions take: pointers and integers. The caller is given the address::

    add = address_of(_add, types.CPointer(types.float32), types.intp)

    @kernel()
    def twice(add, x):
        call(add, (x.ctypes.data, x.size))
        call(add, (x.ctypes.data, x.size))
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from thinnet.kernels.compile import inner


@functools.cache
def address_of(work: Callable[..., None], *kinds: Any) -> int:
    """Compile a kernel for arguments of these types and return its address."""
    (made,) = inner(types.void(*kinds))(work).overloads.values()
    _kept.append(made)
    return int(made.library.get_pointer_to_function(made.fndesc.llvm_func_name))


_kept: list[Any] = []  # compiled kernels, so that their addresses stay valid


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def call(typing_context: Any, address: Any, arguments: Any) -> tuple[Any, Callable[..., Any]]:
    """Call the kernel at an address with a tuple of pointers and integers."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: tuple[Any, Any]) -> Any:
        kinds = [types.intp] * len(arguments)
        given = zip(arguments.types, cgutils.unpack_tuple(builder, values[1]), kinds, strict=True)
        numbers = [context.cast(builder, value, kind, wanted) for kind, value, wanted in given]
        function = context.call_conv.get_function_type(types.void, kinds)
        work = builder.inttoptr(values[0], function.as_pointer())
        context.call_conv.call_function(builder, work, types.void, kinds, numbers)
        return context.get_dummy_value()

    return types.void(types.intp, arguments), generate


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def address(typing_context: Any, place: Any) -> tuple[Any, Callable[..., Any]]:
    """A pointer argument, as an integer."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: tuple[Any]) -> Any:
        return builder.ptrtoint(values[0], context.get_value_type(types.intp))

    return types.intp(place), generate


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def itemsize(typing_context: Any, place: Any) -> tuple[Any, Callable[..., Any]]:
    """The size in bytes of the numbers that a pointer argument points to."""
    size = place.dtype.bitwidth // 8
    return types.intp(place), lambda context, *given: context.get_constant(types.intp, size)


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def least_normal(typing_context: Any, place: Any) -> tuple[Any, Callable[..., Any]]:
    """The smallest positive number of that type that is not subnormal."""
    number, least = place.dtype, float(np.finfo(str(place.dtype)).tiny)
    return number(place), lambda context, *given: context.get_constant(number, least)
