"""Kernel work that threads share, without Python in between.

A kernel whose work is split takes a `thinnet.teams.Share` and passes its other arguments to the function for one part::

    @kernel()
    def add(share, *arguments):
        in_parts(share, _add, arguments)

    @inner()
    def _add(x, out, part, parts):
        for i in range(*bounds(x.size, part, parts)):
            out[i] += x[i]

A kernel may have several such loops, one after the other: each begins when all parts of the one before are done. That
requires a team that passes all parts in one call, which `thinnet.teams.ThreadPool` does not.

Threads that return to the interpreter for each part wait for one another there: about 50 microseconds each time.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from llvmlite import ir
from numba import types
from numba.core import cgutils, compiler
from numba.extending import intrinsic

from thinnet.kernels.compile import inline


@inline()
def bounds(count: int, part: int, parts: int) -> tuple[int, int]:
    """Where one of `parts` equal parts of `count` items begins and ends."""
    return part * count // parts, (part + 1) * count // parts


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def in_parts(typing_context: Any, share: Any, work: Any, arguments: Any) -> tuple[Any, Callable[..., Any]]:
    """Call ``work(*arguments, part, parts)`` for each part in the share."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: tuple[Any, Any, Any]) -> Any:
        compiled = _beside(context, work.dispatcher, (*arguments.types, types.intp, types.intp))
        inner = compiled.signature
        fork, threads, first, end, parts = cgutils.unpack_tuple(builder, values[0])
        data = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, [first, end, parts, values[2]]))
        body = _body(context, builder.module, compiled.fndesc, inner, data.type)
        data = builder.bitcast(data, PLACE)
        with builder.if_else(cgutils.is_null(builder, fork)) as (alone, together):
            with alone:
                builder.call(body, [data])
            with together:
                count = builder.trunc(threads, NUMBER)
                builder.call(builder.inttoptr(fork, FORK), [body, data, count, NUMBER(0)])
        return context.get_dummy_value()

    return types.void(share, work, arguments), generate


def _beside(context: Any, work: Any, arguments: tuple[Any, ...]) -> Any:
    """A kernel compiled for arguments of these types into the library of the one that is being compiled.

    There both are optimized together, once. In its own library it would be optimized and compiled to machine code by
    itself, and then again where it is linked. A loop that appears twice in a kernel is compiled once.
    """
    library = context.active_code_library
    known = _made.setdefault(library, {})
    if (work, arguments) in known:
        return known[work, arguments]
    flags = compiler.Flags()
    work.targetdescr.options.parse_as_flags(flags, work.targetoptions)
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    typing, function = context.typing_context, work.py_func
    known[work, arguments] = compiler.compile_internal(typing, context, library, function, arguments, None, flags, {})
    return known[work, arguments]


_made: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()  # for each library, by function and argument types

PLACE, NUMBER = ir.IntType(8).as_pointer(), ir.IntType(32)
BODY = ir.FunctionType(ir.VoidType(), [PLACE])
FORK = ir.FunctionType(ir.VoidType(), [BODY.as_pointer(), PLACE, NUMBER, NUMBER]).as_pointer()  # of GOMP_parallel


def _body(context: Any, module: ir.Module, work: Any, inner: Any, data_type: Any) -> ir.Function:
    """The function each thread calls with a pointer to the next part, the end, the number of parts, and the arguments.

    It takes the next part until none is left. So all parts get done however many threads there are, and no thread
    waits for one that starts late.
    """
    body = ir.Function(module, BODY, module.get_unique_name("shared"))
    body.linkage = "internal"
    builder = ir.IRBuilder(body.append_basic_block())
    data = builder.bitcast(body.args[0], data_type)
    next_part, *known = (cgutils.gep_inbounds(builder, data, 0, field) for field in range(4))
    end, parts, arguments = (builder.load(place) for place in known)
    items = cgutils.unpack_tuple(builder, arguments, len(inner.args) - 2)
    function = context.declare_function(module, work)
    take, do, done = (body.append_basic_block(name) for name in ("take", "do", "done"))
    builder.branch(take)
    builder.position_at_end(take)
    part = builder.atomic_rmw("add", next_part, ir.Constant(parts.type, 1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", part, end), do, done)
    builder.position_at_end(do)
    context.call_conv.call_function(builder, function, inner.return_type, inner.args, [*items, part, parts])
    builder.branch(take)
    builder.position_at_end(done)
    builder.ret_void()
    return body
