"""The two ways to check: files, each in a child process, and existing functions, in this process."""

import contextlib
import io
import random
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.check import p_convention
from thinnet.check.classes import kind_of
from thinnet.check.dropout_functions import DROPOUT_FUNCTIONS
from thinnet.check.findings import FunctionReport, finding
from thinnet.check.p_convention import PConvention
from thinnet.check.plan import check_names, check_subject, subjects_of
from thinnet.check.report import Report
from thinnet.check.runner import TICK, Limits, check_source
from thinnet.check.scan import scan
from thinnet.check.subject import Timeout
from thinnet.errors import ArgumentError
from thinnet.old_python import of_a_library


@known_arguments
def check_layers(
    layers: ModuleType | Mapping[str, Any], dialect: str | None = None, *, timeout: float = 20.0
) -> Report:
    """Check the layer functions of a module or a namespace, in this process.

    For a notebook (``check_layers(globals())``) or a test (``assert check_layers(my_layers).ok``).  Errors and output
    are caught, and the state of the global random generators is restored; for code that may crash Python, or hang in a
    library call, use `check_path`.

    Args:
        layers: a module, or a mapping of names such as ``globals()``; only the courses' names are considered.
        dialect: one of the courses' dialects, ``"drop"`` or ``"keep"``; inferred from the code if not given.
        timeout: seconds for each function; enforced only in the main thread, and if the system has timers.

    Returns:
        The report; printing it gives a table.

    Raises:
        ArgumentError: if the dialect is unknown, or there is nothing to check.

    >>> def dropout_forward(x, dropout_param):
    ...     p, mask = dropout_param["p"], None
    ...     if dropout_param["mode"] == "train":
    ...         mask = np.random.rand(*x.shape) < p
    ...         x = x * mask / p
    ...     return x, mask
    >>> def dropout_backward(dout, mask):
    ...     return dout
    >>> sorted(check_layers({"dropout_forward": dropout_forward, "dropout_backward": dropout_backward}, "keep").faults)
    ['mask-not-applied-in-backward']
    """
    namespace = vars(layers) if isinstance(layers, ModuleType) else dict(layers)
    given = p_convention.from_name(dialect)
    # A name such as dropout often does not stand for a function.
    others = {name for name in DROPOUT_FUNCTIONS if not isinstance(namespace.get(name), FunctionType)}
    known = {name: value for name, value in namespace.items() if callable(value) and name not in others}
    owners = {name: value for name, value in known.items() if kind_of(getattr(value, "__name__", "")) == kind_of(name)}
    names = subjects_of(known, {name: dir(value) for name, value in owners.items() if isinstance(value, type)})
    if not names:
        raise ArgumentError(
            "layers must hold something to check, such as dropout_forward or FullyConnectedNet, got nothing. "
            "Use the courses' names."
        )
    convention = p_convention.reconcile(given, p_convention.from_namespace(namespace))
    subject = layers.__name__ if isinstance(layers, ModuleType) else "the namespace"
    report = Report(subject, conventions={subject: convention})
    state, python_state = np.random.get_state(), random.getstate()
    try:
        for name in names:
            owner, dot, _ = name.partition(".")
            alone = dot or name in DROPOUT_FUNCTIONS
            own = p_convention.from_dropout(namespace[owner]) if alone and not given.means else convention
            checked, own = _check_here(name, namespace, own, timeout)
            report.functions.append(checked)
            if name in ("dropout_forward", "dropout_backward"):
                convention = report.conventions[subject] = own  # from its behavior, if nothing in the code says it
    finally:
        np.random.set_state(state)
        random.setstate(python_state)
    return report


@known_arguments
def check_path(
    path: str | Path, dialect: str | None = None, *, limits: Limits | None = None, expected: Sequence[str] = ()
) -> Report:
    """Check a file, or all files of a folder, each in a child process with limits on time and memory.

    Args:
        path: a Python file, or a folder, such as the one that contains ``cs231n``.
        dialect: as for `check_layers`.
        limits: seconds and megabytes.
        expected: names of functions that must be there; a missing one is a fault.

    Returns:
        The report.

    Raises:
        ArgumentError: if there is no such file, or nothing in it to check and nothing expected.
    """
    given = p_convention.from_name(dialect)
    check_names("expected", expected)
    target = Path(path)
    report, unread = Report(str(target)), ""
    try:
        sources = scan(target)
    except ArgumentError as error:
        if not expected or not target.exists():
            raise
        sources, unread = [], "".join(str(error).partition(" What cannot be read:")[1:])
    for source in sources:
        if given.means:
            source.convention, source.conventions = p_convention.reconcile(given, source.convention), {}
        functions, convention = check_source(source, limits or Limits())
        report.functions += functions
        report.conventions[str(source.path)] = convention
    there = {function.name for function in report.functions}
    for name in expected:
        if name not in there:
            missing = finding("function-missing", f"no file defines {name}.{unread}")
            report.functions.append(FunctionReport(name, "", [missing]))
    return report


def _check_here(
    name: str, namespace: Mapping[str, Any], convention: PConvention, timeout: float
) -> tuple[FunctionReport, PConvention]:
    printed = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(printed),
            np.errstate(all="ignore"),
            warnings.catch_warnings(action="ignore"),
            _alarm(timeout),
        ):
            subject = check_subject(name, namespace, convention)
    except Timeout:
        return FunctionReport(name, "", [finding("timed-out", f"it was stopped after {timeout:g} s")]), convention
    return FunctionReport(name, "", subject.findings, printed.getvalue()[-2000:]), subject.convention


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer, if possible; counted in ticks, so no time passes while the process is stopped."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    left = max(1, round(seconds / TICK))

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal left
        left -= 1
        if left <= 0 and _is_theirs(frame):
            # A loop that catches everything catches this too, but not at every point: try again soon, at another one.
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + time.perf_counter() % 1e-5, TICK)
            raise Timeout

    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def _is_theirs(frame: FrameType | None) -> bool:
    """Whether this frame runs code under check, or was called by it."""
    while frame is not None and frame.f_code is not _check_here.__code__:
        if not of_a_library(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False
