"""Work of a kernel that threads share, without Python between them.

A kernel whose work comes in parts takes a `thinnet.teams.Share`, and hands its other arguments on to what does a part::

    @kernel()
    def add(share, *arguments):
        in_parts(share, _add, arguments)

    @kernel()
    def _add(x, out, part, parts):
        for i in range(*bounds(x.size, part, parts)):
            out[i] += x[i]

Threads that come back to the interpreter for each part wait for one another there: some 50 microseconds a time.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from thinnet.kernels.compile import inline
from thinnet.teams import Share


@inline()
def bounds(count: int, part: int, parts: int) -> tuple[int, int]:
    """Where one of equal parts of so many begins, and where it ends."""
    return part * count // parts, (part + 1) * count // parts


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def in_parts(typing_context: Any, share: Any, work: Any, arguments: Any) -> tuple[Any, Callable[..., Any]]:
    """Call ``work(*arguments, part, parts)`` for the parts that the share says."""
    whole = types.intp
    inner = typing_context.resolve_function_type(work, (*arguments.types, whole, whole), {})

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: tuple[Any, Any, Any]) -> Any:
        compiled = work.dispatcher.get_compile_result(inner)
        context.add_linking_libs([compiled.library])
        body = _body(context, builder.module, compiled.fndesc, inner, values[0].type, values[2].type)
        data = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, [values[0], values[2]]))
        data = builder.bitcast(data, PLACE)
        fork, *_ = cgutils.unpack_tuple(builder, values[0], len(Share._fields))
        with builder.if_else(cgutils.is_null(builder, fork)) as (alone, together):
            with alone:
                builder.call(body, [data])
            with together:
                builder.call(builder.inttoptr(fork, FORK), [body, data, NUMBER(0), NUMBER(0)])
        return context.get_dummy_value()

    return types.void(share, work, arguments), generate


PLACE, NUMBER = ir.IntType(8).as_pointer(), ir.IntType(32)
BODY = ir.FunctionType(ir.VoidType(), [PLACE])
FORK = ir.FunctionType(ir.VoidType(), [BODY.as_pointer(), PLACE, NUMBER, NUMBER]).as_pointer()  # of GOMP_parallel
ASK = ir.FunctionType(NUMBER, []).as_pointer()


def _body(context: Any, module: ir.Module, work: Any, inner: Any, share: Any, arguments: Any) -> ir.Function:
    """What each thread calls, with the place of the share and the arguments: the work, for its parts of it."""
    body = ir.Function(module, BODY, module.get_unique_name("shared"))
    body.linkage = "internal"
    builder = ir.IRBuilder(body.append_basic_block())
    data = builder.load(builder.bitcast(body.args[0], ir.LiteralStructType([share, arguments]).as_pointer()))
    fork, *asked, count = cgutils.unpack_tuple(builder, builder.extract_value(data, 0), len(Share._fields))
    items = cgutils.unpack_tuple(builder, builder.extract_value(data, 1), len(inner.args) - 2)
    function = context.declare_function(module, work)
    first, step = (_asked(builder, cgutils.is_null(builder, fork), number) for number in asked)
    with cgutils.for_range_slice(builder, first, count, step, count.type) as (part, _):
        context.call_conv.call_function(builder, function, inner.return_type, inner.args, [*items, part, count])
    builder.ret_void()
    return body


def _asked(builder: ir.IRBuilder, alone: Any, number: Any) -> Any:
    """The number, or where there are several threads what the function at that address says to each."""
    place = cgutils.alloca_once_value(builder, number)
    with builder.if_then(builder.not_(alone)):
        said = builder.call(builder.inttoptr(number, ASK), [])
        builder.store(builder.sext(said, number.type), place)
    return builder.load(place)
