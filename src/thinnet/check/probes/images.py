"""Convolution and max pooling of images: outputs and gradients, for several strides and sizes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from thinnet.check.compare import Alternative
from thinnet.check.findings import Finding
from thinnet.check.probes.layers import agrees, check_gradients, check_output, right_results, wrong_sums
from thinnet.check.subject import Stop, Subject
from thinnet.layers import conv_backward, conv_forward, max_pool_forward
from thinnet.layers.conv import ConvCache, from_windows, pad, windows
from thinnet.typing import AnyArray, FloatArray

CONV, POOL = "conv_forward_naive", "max_pool_forward_naive"
OBLONG = (2, 2, 5, 6), (3, 2, 3, 2)  # images and filters that are not square
# The errors of code that refuses such filters.
REFUSED = re.compile(r"^AssertionError|^\w+: .*square|line \d+: .*\braise\b")
STEPS = ((1, 1), (2, 2))  # stride and padding; the sizes below divide without remainder, as in the courses
ROTATED = "rotated by 180 degrees"
POOLS = (((4, 6), (2, 2), 2), ((5, 6), (2, 3), 3))  # images, windows and stride, without overlap
Known = list[Alternative]


def _conv_inputs(subject: Subject) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Filters are square, as most are; images are not, except for a class."""
    rng = subject.rng
    return rng.normal(size=(3, 2, 5, 5 if subject.of_class else 3)), rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4)


def _steps(subject: Subject, inputs: tuple[FloatArray, ...]) -> Iterator[tuple[int, int]]:
    """Stride and padding, except what a class does not take."""
    for stride, padding in (*STEPS, (1, 0)) if subject.of_class else STEPS:
        param = {"stride": stride, "pad": padding}
        if not subject.of_class or "takes no" not in subject.attempt(subject.pair, CONV, *inputs, param)[1]:
            subject.when = f"with stride {stride} and pad {padding}: " if stride > 1 else ""
            yield stride, padding


def check_conv_forward(subject: Subject) -> None:
    """Cross-correlation, with each stride and padding."""
    x, w, b = _conv_inputs(subject)
    for stride, padding in _steps(subject, (x, w, b)):
        out = _output(subject, (x, w, b), {"stride": stride, "pad": padding})
        right = _conv(x, w, b, stride, padding)
        check_output(subject, out, right, _known_outputs(x, w, b, stride, padding))
    subject.when = ""
    if not subject.has_fault:
        x, w, param = *map(subject.rng.normal, (0, 0), (1, 1), OBLONG), {"stride": 2, "pad": 1}
        _check_oblong(subject, _check_oblong_output, x, w, b[:3], param)


def _output(subject: Subject, inputs: tuple[FloatArray, FloatArray, FloatArray], param: dict[str, int]) -> Any:
    """The output; if forward stops only with padding, that is reported as a fault of the padding."""
    try:
        return subject.pair(CONV, *inputs, param)[0]
    except Stop:
        failed = subject.findings.pop()
        without, _ = subject.attempt(subject.pair, CONV, *inputs, {**param, "pad": 0})
        if failed.verdict == "crashed" and without and agrees(without[0], _conv(*inputs, param["stride"], 0)):
            evidence = failed.evidence.removeprefix(subject.when)
            raise subject.stop("padding-wrong", f"{evidence}; with pad = 0 the output is right") from None
        subject.findings.append(failed)
        raise


def _check_oblong(subject: Subject, probe: Callable[..., None], *inputs: Any) -> None:
    """Height and width must not be swapped, which only non-square filters show; some code refuses these."""
    found = _first_finding(subject, probe, *inputs)
    if found and found.severity == "fault" and not REFUSED.search(found.evidence):
        size = " x ".join(map(str, OBLONG[1][2:]))
        subject.report("height-and-width-exchanged", f"with filters of {size}: {found.evidence}")


def _check_oblong_output(subject: Subject, x: FloatArray, w: FloatArray, b: FloatArray, param: dict[str, int]) -> None:
    out, _ = subject.pair(CONV, x, w, b, param)
    check_output(subject, out, _conv(x, w, b, param["stride"], param["pad"]))


def _conv(x: FloatArray, w: FloatArray, b: FloatArray, stride: int, padding: int) -> FloatArray:
    return conv_forward(x, w, b, stride=stride, padding=padding)[0]


def _known_outputs(x: FloatArray, w: FloatArray, b: FloatArray, stride: int, padding: int) -> Known:
    right, close_by = _conv(x, w, b, stride, padding), _conv(x, w, b, 1, padding)
    (P, Q), less = right.shape[2:], (x.shape[2] - w.shape[2]) // stride + 1
    found: Known = [
        (_conv(x, w, b, stride, 0), "padding-ignored", "is that of the images without padding"),
        (_conv(x, w[:, :, ::-1, ::-1], b, stride, padding), "filter-flipped", f"is that of filters {ROTATED}"),
        (_conv(x, w.swapaxes(2, 3), b, stride, padding), "filter-flipped", "is that of filters transposed"),
        (right[:, :, :less, : Q - P + less], "shape-changed", "has the size of one without padding"),
        (right - b[:, None, None], "wrong-output", "lacks the bias"),
        (right + b[:, None, None], "wrong-output", "has the bias added once for each channel"),
        (_conv(x[:, :1], w[:, :1], b, stride, padding), "wrong-output", "is that of the first channel"),
        (_conv(x[:, -1:], w[:, -1:], b, stride, padding), "wrong-output", "is that of the last channel"),
    ]
    if stride > 1:
        found += [(wrong, "stride-ignored", "is that of stride 1") for wrong in (close_by, close_by[:, :, :P, :Q])]
        steps = np.s_[:, :, ::stride, :Q], np.s_[:, :, :P, ::stride]
        found += [(close_by[one], "stride-ignored", "is that of stride 1 in one direction") for one in steps]
    none, both, twice = (0, 0), (padding, padding), 2 * padding
    padded = [
        (np.pad(x, (none, none, (0, twice), (0, twice))), "on one side"),
        (np.pad(x, (none, none, (twice, 0), (twice, 0))), "on one side"),
        (np.pad(x, (none, none, both, both), constant_values=1), "with ones"),
        (np.pad(x, (none, none, both, both), "edge"), "with their edges"),
        (np.pad(x, (none, none, both, both), "wrap"), "with themselves"),
    ]
    for other, how in padded:
        found.append((_conv(other, w, b, stride, 0), "padding-wrong", f"is that of images padded {how}"))
    return found


def check_conv_backward(subject: Subject) -> None:
    """dx, dw and db, with each stride and padding; a fault only without padding is just a note."""
    x, w, b = _conv_inputs(subject)
    for stride, padding in _steps(subject, (x, w, b)):
        arguments = {"x": x, "w": w, "b": b, "param": {"stride": stride, "pad": padding}}
        out, dout, expected = right_results(subject, arguments)
        known = _known_gradients(ConvCache(pad(x, padding), w, stride, padding), dout, expected)
        check_gradients(subject, arguments, out, dout, expected, known)
    subject.when = ""
    if not subject.has_fault:
        x, w = map(subject.rng.normal, (0, 0), (1, 1), OBLONG)
        arguments = {"x": x, "w": w, "b": b[:3], "param": {"stride": 2, "pad": 1}}
        _check_oblong(subject, check_gradients, arguments, *right_results(subject, arguments), {})
    if not subject.findings:
        x, w, b = _conv_inputs(subject)
        arguments = {"x": x, "w": w, "b": b, "param": {"stride": 1, "pad": 0}}
        _remark(subject, "wrong-without-padding", "with pad = 0", arguments)


def _first_finding(subject: Subject, probe: Callable[..., None], *inputs: Any) -> Finding | None:
    """What a probe finds first, without reporting it."""
    probed = replace(subject, findings=[])
    probed.run(probe, probed, *inputs)
    return next(iter(probed.findings), None)


def _remark(subject: Subject, verdict: str, when: str, arguments: dict[str, Any]) -> None:
    """Report wrong gradients in a case that the courses do not require, as a note."""
    subject.when = ""
    found = _first_finding(subject, check_gradients, arguments, *right_results(subject, arguments), {})
    if found and found.verdict != "not-checked":
        subject.report(verdict, f"{when} {found.evidence}", severity="note")


def _known_gradients(cache: ConvCache, dout: FloatArray, expected: dict[str, FloatArray]) -> dict[str, Known]:
    w, stride, padding, shape = cache.w, cache.stride, cache.padding, cache.padded.shape
    H, W = expected["dx"].shape[2:]
    middle = (..., slice(padding, padding + H), slice(padding, padding + W))
    dwindows = np.einsum("nfpq,fckl->ncpqkl", dout, w)
    whole = from_windows(dwindows, shape, stride)
    rotated = conv_backward(dout, cache._replace(w=w[:, :, ::-1, ::-1]))[0]
    last = np.einsum("npq,ckl->ncpqkl", dout[:, -1], w[-1])
    others = [k for k in range(2 * padding + 1) if k != padding]
    description = "holds the last window at each place instead of the sum"
    dx = [
        (whole, "padding-not-removed", "is that of the padded images"),
        *((whole[:, :, k : k + H, k : k + W], "padding-not-removed", "is cut out of the wrong place") for k in others),
        (whole[:, :, 1:-1, 1:-1], "padding-not-removed", f"is cut by 1 on each side, where pad is {padding}"),
        (rotated, "filter-flipped", f"is that of filters {ROTATED}"),
        (_overwritten(dwindows, shape, stride)[middle], "windows-not-added", description),
        (_overwritten(last, shape, stride)[middle], "windows-not-added", description),
        (from_windows(last, shape, stride)[middle], "wrong-gradient", "is that of the last filter"),
    ]
    near = windows(cache.padded, w.shape[2:], 1)[:, :, : dout.shape[2], : dout.shape[3]]
    seen = windows(cache.padded, w.shape[2:], stride)
    last_place = "is that of the last place instead of the sum over all"
    dw = [
        (expected["dw"][:, :, ::-1, ::-1], "filter-flipped", f"is {ROTATED}"),
        (np.einsum("nf,nckl->fckl", dout[..., -1, -1], seen[:, :, -1, -1]), "windows-not-added", last_place),
        (np.einsum("f,ckl->fckl", dout[-1, :, -1, -1], seen[-1, :, -1, -1]), "windows-not-added", last_place),
    ]
    if stride > 1:
        dx.append((from_windows(dwindows, shape, 1)[middle], "stride-ignored", "is that of stride 1"))
        dw.append((np.einsum("nfpq,ncpqkl->fckl", dout, near), "stride-ignored", "is that of stride 1"))
    db = [*wrong_sums(dout.sum(axis=(2, 3))), (dout[-1, :, -1, -1], "windows-not-added", last_place)]
    for n, which in ((0, "first"), (-1, "last")):  # of the examples
        gradient = np.einsum("fpq,cpqkl->fckl", dout[n], seen[n])
        dw.append((gradient, "examples-not-summed", f"is that of the {which} example"))
        db.append((dout[:, :, n, n].sum(axis=0), "windows-not-added", last_place.replace("last", which)))
    return {"dx": dx, "dw": dw, "db": db}


def _overwritten(dwindows: AnyArray, shape: tuple[int, ...], stride: int) -> FloatArray:
    """The result of assigning window by window instead of adding."""
    total = np.zeros(shape)
    *_, P, Q, K, L = dwindows.shape
    for p, q in np.ndindex(P, Q):
        total[:, :, p * stride : p * stride + K, q * stride : q * stride + L] = dwindows[:, :, p, q]
    return total


def _param(size: tuple[int, int], stride: int) -> dict[str, Any]:
    return {"pool_height": size[0], "pool_width": size[1], "stride": stride}


def _pools(subject: Subject) -> Iterator[tuple[tuple[int, int], tuple[int, int], int]]:
    """Images, windows and stride, except what the code refuses: a course's im2col asserts that windows are square."""
    for shape, size, stride in POOLS:
        subject.when = ""
        why = subject.attempt(subject.pair, POOL, np.ones((1, 1, *shape)), _param(size, stride))[1]
        if size[0] == size[1] or not (why.startswith("AssertionError") or (why and subject.of_class)):
            subject.when = f"with windows of {size[0]} x {size[1]} and images of {shape[0]} x {shape[1]}: "
            yield shape, size, stride
    subject.when = ""


def check_max_pool_forward(subject: Subject) -> None:
    """The maximum of each window."""
    for shape, size, stride in _pools(subject):
        x = subject.rng.normal(size=(7, 3, *shape))
        out, _ = subject.pair(POOL, x, _param(size, stride))
        right = max_pool_forward(x, **_param(size, stride))[0]
        P, Q = right.shape[2:]
        seen, more = windows(x, size, stride), (0, stride)
        wide = np.pad(x, ((0, 0), (0, 0), more, more), constant_values=-np.inf)[:, :, : P * stride, : Q * stride]
        of_stride = windows(wide, (stride, stride), stride).max(axis=(4, 5))
        known = [
            (of_stride, "wrong-output", "is that of windows of stride x stride"),
            (seen.mean(axis=(4, 5)), "wrong-output", "is the mean of each window"),
            (seen.min(axis=(4, 5)), "wrong-output", "is the smallest of each window"),
            (np.maximum(right, 0), "wrong-output", "is never below zero: the search for the maximum starts from 0"),
            (np.abs(seen).max(axis=(4, 5)), "wrong-output", "is the largest magnitude of each window"),
        ]
        for step in (1, *size):
            if step != stride:
                other = windows(x, size, step).max(axis=(4, 5))
                description = f"is that of stride {step}"
                known += [(wrong, "stride-ignored", description) for wrong in (other, other[:, :, :P, :Q])]
        check_output(subject, out, right, known)


def check_max_pool_backward(subject: Subject) -> None:
    """dout at the maximum of each window; then several equal maxima; then overlapping windows, as a note."""
    for shape, size, stride in _pools(subject):
        arguments: dict[str, Any] = {"x": subject.rng.normal(size=(7, 3, *shape)), "param": _param(size, stride)}
        out, dout, expected = right_results(subject, arguments)
        everywhere = np.broadcast_to(dout[..., None, None], (*dout.shape, *size))
        x, dx = arguments["x"], expected["dx"]
        known = (
            (from_windows(everywhere, x.shape, stride), "wrong-gradient", "is spread over the whole window"),
            ((dx != 0) * 1.0, "wrong-gradient", "lacks the factor dout"),
            (dx * x, "wrong-gradient", "is multiplied by x"),
        )
        check_gradients(subject, arguments, out, dout, expected, {"dx": known})
    if not subject.findings:
        _ties(subject)
        arguments = {"x": subject.rng.normal(size=(7, 3, 5, 6)), "param": _param((3, 2), 1)}
        _remark(subject, "windows-not-added", "with windows that overlap", arguments)


def _ties(subject: Subject) -> None:
    """Any of several equal maxima may get the gradient, or all may share it; if each gets all of it, that is a note."""
    shape, size, stride = POOLS[0]
    x = subject.rng.integers(0, 2, size=(7, 3, *shape)).astype(float)
    param = _param(size, stride)
    out, cache = subject.pair(POOL, x, param)
    if not agrees(out, max_pool_forward(x, **param)[0]):
        return
    dout = subject.rng.uniform(1, 2, size=np.shape(out))
    dx = subject.array(subject.own, subject.call(subject.own, dout, cache), "dx")
    seen, got = windows(x, size, stride), windows(dx, size, stride)
    largest = seen == np.asarray(out)[..., None, None]
    sums = got.sum(axis=(4, 5))
    if agrees(sums, dout):
        return
    if agrees(got, largest * dout[..., None, None]):
        subject.report("ties-get-all", "where a window has several equal maxima, each of them gets all of dout")
        return
    tied = largest.sum(axis=(4, 5)) > 1
    verdict = "tied-maximum-lost" if np.all(sums[tied] == 0) else "wrong-gradient"
    message = f"the gradients of several equal maxima sum to {sums[tied][0]:.4g}, expected {dout[tied][0]:.4g}"
    subject.report(verdict, message)
