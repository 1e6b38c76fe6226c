"""Work of a kernel that threads share, without Python between them.

A kernel whose work comes in parts takes a `thinnet.teams.Share`, and hands its other arguments on to what does a part::

    @kernel()
    def add(share, *arguments):
        in_parts(share, _add, arguments)

    @inner()
    def _add(x, out, part, parts):
        for i in range(*bounds(x.size, part, parts)):
            out[i] += x[i]

A kernel may have several such loops, one after the other: each begins when all parts of the one before are done. That
takes a team which hands all parts on in one call, as a `thinnet.teams.ThreadPool` does not.

Threads that come back to the interpreter for each part wait for one another there: some 50 microseconds a time.
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
    """Where one of equal parts of so many begins, and where it ends."""
    return part * count // parts, (part + 1) * count // parts


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def in_parts(typing_context: Any, share: Any, work: Any, arguments: Any) -> tuple[Any, Callable[..., Any]]:
    """Call ``work(*arguments, part, parts)`` for the parts that the share says."""

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

    There both are optimized together, once. A library of its own would be optimized and made into machine code by
    itself, and then once more where it is linked. A loop that stands twice in a kernel is compiled once.
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


_made: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()  # in each library, by what it does and the types

PLACE, NUMBER = ir.IntType(8).as_pointer(), ir.IntType(32)
BODY = ir.FunctionType(ir.VoidType(), [PLACE])
FORK = ir.FunctionType(ir.VoidType(), [BODY.as_pointer(), PLACE, NUMBER, NUMBER]).as_pointer()  # of GOMP_parallel


def _body(context: Any, module: ir.Module, work: Any, inner: Any, data_type: Any) -> ir.Function:
    """What each thread calls, with the place of the next part, where they end, how many there are, and the arguments.

    It takes the next part until there is none. So all are done however many threads there are, and nobody waits for a
    thread that comes late.
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
