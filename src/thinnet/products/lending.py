"""A function that lends OpenBLAS the threads of an OpenMP runtime: machine code, which LLVM makes when it is needed.

OpenBLAS calls it instead of its own threads, for each piece of work that several are to share, with the jobs to be
done. Jobs wait for one another, so each must have a thread of its own. Where the runtime has too few, as within a
parallel loop of its own, each job gets a new thread that ends with it.
"""

from typing import Any, NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core.cgutils import for_range

NUMBER, SIZE, NOTHING, PLACE = ir.IntType(32), ir.IntType(64), ir.VoidType(), ir.IntType(8).as_pointer()
JOB = ir.FunctionType(NOTHING, [NUMBER, PLACE, NUMBER]).as_pointer()
LEND = ir.FunctionType(NOTHING, [NUMBER, JOB, NUMBER, SIZE, PLACE, NUMBER])
BODY = ir.FunctionType(NOTHING, [PLACE])
FORK = ir.FunctionType(NOTHING, [BODY.as_pointer(), PLACE, NUMBER, NUMBER]).as_pointer()
ASK = ir.FunctionType(NUMBER, []).as_pointer()
THREAD = ir.FunctionType(PLACE, [PLACE])
CREATE = ir.FunctionType(NUMBER, [SIZE.as_pointer(), PLACE, THREAD.as_pointer(), PLACE]).as_pointer()
TAKE = ir.FunctionType(NUMBER, [PLACE]).as_pointer()
JOIN = ir.FunctionType(NUMBER, [SIZE, PLACE]).as_pointer()
MUTEX = ir.ArrayType(SIZE, 8)  # room enough for what the system has; all zeros are a free one
# What threads know of a call: the number of the next job, how many there are, the number of the first one's buffers,
# what all are told, the function for one, and where jobs are, so many bytes apart.
CALL = ir.LiteralStructType([NUMBER, NUMBER, NUMBER, NUMBER, JOB, PLACE, SIZE])
NEXT, COUNT = 0, 1


class Functions(NamedTuple):
    """Where functions are, as numbers."""

    fork: int  # GOMP_parallel
    team_size: int  # omp_get_num_threads
    num_threads: int  # openblas_get_num_threads
    create: int  # pthread_create
    join: int  # pthread_join
    lock: int  # pthread_mutex_lock
    unlock: int  # pthread_mutex_unlock


def lending(functions: Functions, buffers: int, most: int) -> int:
    """Where the function is that OpenBLAS may call, as a number; it stays there as long as the process.

    Args:
        functions: what it calls.
        buffers: the number of the first of the buffers of OpenBLAS's threads that jobs take: its own threads, which
            may still be at work when it is first called, have those before.
        most: how many there are from there on. Where more jobs come, they take the buffers from 0 on.
    """
    module = ir.Module("lending")
    _lend(module, functions, buffers, most, _body(module, functions), _thread(module))
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    parsed = llvm.parse_assembly(str(module))
    engine = llvm.create_mcjit_compiler(parsed, llvm.Target.from_default_triple().create_target_machine(opt=2))
    engine.finalize_object()
    place = int(engine.get_function_address("lend"))
    engine.detach()  # nothing frees it: a thread may multiply until the process ends
    return place


def _function(module: ir.Module, kind: ir.FunctionType, name: str, linkage: str = "internal") -> ir.IRBuilder:
    function = ir.Function(module, kind, name)
    function.linkage = linkage
    return ir.IRBuilder(function.append_basic_block())


def _at(builder: ir.IRBuilder, call: Any, field: int) -> Any:
    return builder.gep(call, [NUMBER(0), NUMBER(field)], inbounds=True)


def _known(builder: ir.IRBuilder, place: int, kind: Any) -> Any:
    return builder.inttoptr(SIZE(place), kind)


def _do_next(builder: ir.IRBuilder, call: Any) -> None:
    """Do the next job, if there is one left."""
    number = builder.atomic_rmw("add", _at(builder, call, NEXT), NUMBER(1), "monotonic")
    _, count, first, told, job, jobs, apart = (
        builder.load(_at(builder, call, field)) for field in range(len(CALL.elements))
    )
    with builder.if_then(builder.icmp_signed("<", number, count)):
        place = builder.gep(jobs, [builder.mul(builder.sext(number, SIZE), apart)])
        builder.call(job, [builder.add(first, number), place, told])


def _body(module: ir.Module, functions: Functions) -> ir.Function:
    """What each of the runtime's threads calls: a job, if there are threads for all."""
    builder = _function(module, BODY, "body")
    call = builder.bitcast(builder.function.args[0], CALL.as_pointer())
    threads = builder.call(_known(builder, functions.team_size, ASK), [])
    with builder.if_then(builder.icmp_signed(">=", threads, builder.load(_at(builder, call, COUNT)))):
        _do_next(builder, call)
    builder.ret_void()
    return builder.function


def _thread(module: ir.Module) -> ir.Function:
    """What a new thread calls."""
    builder = _function(module, THREAD, "thread")
    _do_next(builder, builder.bitcast(builder.function.args[0], CALL.as_pointer()))
    builder.ret(PLACE(None))
    return builder.function


def _lend(
    module: ir.Module, functions: Functions, buffers: int, most: int, body: ir.Function, thread: ir.Function
) -> None:
    """What OpenBLAS calls; one call after the other, since all take the same buffers."""
    mutex = ir.GlobalVariable(module, MUTEX, "mutex")
    mutex.linkage, mutex.initializer, mutex.align = "internal", MUTEX(None), 16
    builder = _function(module, LEND, "lend", linkage="external")
    _, job, count, apart, jobs, told = builder.function.args
    call = builder.alloca(CALL)
    first = builder.select(builder.icmp_signed("<=", count, NUMBER(most)), NUMBER(buffers), NUMBER(0))
    for field, value in enumerate((NUMBER(0), count, first, told, job, jobs, apart)):
        builder.store(value, _at(builder, call, field))
    data = builder.bitcast(call, PLACE)
    held = builder.bitcast(mutex, PLACE)
    builder.call(_known(builder, functions.lock, TAKE), [held])
    # As many as the loops between products have: a runtime that is asked for another number ends or starts threads.
    threads = builder.call(_known(builder, functions.num_threads, ASK), [])
    threads = builder.select(builder.icmp_signed(">", threads, count), threads, count)
    builder.call(_known(builder, functions.fork, FORK), [body, data, threads, NUMBER(0)])
    with builder.if_then(builder.icmp_signed("==", builder.load(_at(builder, call, NEXT)), NUMBER(0))):
        _on_new_threads(builder, functions, thread, data, count)
    builder.call(_known(builder, functions.unlock, TAKE), [held])
    builder.ret_void()


def _on_new_threads(builder: ir.IRBuilder, functions: Functions, thread: ir.Function, data: Any, count: Any) -> None:
    """Do a job on this thread, and the others on one each."""
    others = builder.sub(count, NUMBER(1))
    names = builder.alloca(SIZE, others)
    with for_range(builder, others) as each:
        name = builder.gep(names, [each.index])
        builder.call(_known(builder, functions.create, CREATE), [name, PLACE(None), thread, data])
    builder.call(thread, [data])
    with for_range(builder, others) as each:
        name = builder.load(builder.gep(names, [each.index]))
        builder.call(_known(builder, functions.join, JOIN), [name, PLACE(None)])
