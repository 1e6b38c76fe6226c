"""Convolution and max pooling of images: outputs and gradients, for several strides and sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, difference
from thinnet.check.probes.layers import agrees, backward, output
from thinnet.check.unit import Unit
from thinnet.layers import conv_backward, conv_forward, max_pool_backward, max_pool_forward
from thinnet.layers.conv import from_windows, pad, windows
from thinnet.typing import AnyArray, FloatArray

CONV, POOL = "conv_forward_naive", "max_pool_forward_naive"
STEPS = ((1, 1), (2, 2))  # stride and padding; the sizes below divide without a rest, as the courses' do
POOLS = (((4, 6), (2, 2), 2), ((5, 6), (2, 3), 3))  # images, windows and stride, without overlap
Known = tuple[Alternative, ...]


def _conv_inputs(unit: Unit) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Filters are square, as in the words of some handouts; images are not."""
    rng = unit.rng
    return rng.normal(size=(3, 2, 5, 3)), rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4)


def check_conv_forward(unit: Unit) -> None:
    """Cross-correlation, with each stride and padding."""
    x, w, b = _conv_inputs(unit)
    for stride, padding in STEPS:
        out, _ = unit.pair(CONV, x, w, b, {"stride": stride, "pad": padding})
        right = _conv(x, w, b, stride, padding)
        output(unit, CONV, out, right, _known_outputs(x, w, b, stride, padding))


def _conv(x: FloatArray, w: FloatArray, b: FloatArray, stride: int, padding: int) -> FloatArray:
    return conv_forward(x, w, b, stride=stride, padding=padding)[0]


def _known_outputs(x: FloatArray, w: FloatArray, b: FloatArray, stride: int, padding: int) -> Known:
    right = _conv(x, w, b, stride, padding)
    P, Q = right.shape[2:]
    close_by = _conv(x, w, b, 1, padding)
    nothing = np.zeros_like(b)
    found = [
        Alternative(_conv(x, w, b, stride, 0), "padding-ignored", "is that of the images without padding"),
        Alternative(_conv(x, w[:, :, ::-1, ::-1], b, stride, padding), "filter-flipped", "is that of filters turned"),
        Alternative(_conv(x, w.swapaxes(2, 3), b, stride, padding), "filter-flipped", "is that of filters transposed"),
        Alternative(_conv(x, w, nothing, stride, padding), "wrong-output", "lacks the bias"),
        Alternative(right + b[:, None, None], "wrong-output", "has the bias once for each channel"),
        Alternative(_conv(x[:, :1], w[:, :1], b, stride, padding), "wrong-output", "is that of the first channel"),
        Alternative(_conv(x[:, -1:], w[:, -1:], b, stride, padding), "wrong-output", "is that of the last channel"),
    ]
    if stride > 1:
        words = "is that of stride 1"
        found += [Alternative(one, "stride-ignored", words) for one in (close_by, close_by[:, :, :P, :Q])]
    for side in ((0, 2 * padding), (2 * padding, 0)):
        other = np.pad(x, ((0, 0), (0, 0), side, side))
        found.append(
            Alternative(_conv(other, w, b, stride, 0), "padding-wrong", "is that of images padded on one side")
        )
    ones = pad(x - 1, padding) + 1
    found.append(Alternative(_conv(ones, w, b, stride, 0), "padding-wrong", "is that of images padded with ones"))
    everywhere = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    for other, words in ((np.pad(x, everywhere, "edge"), "their edges"), (np.pad(x, everywhere, "wrap"), "themselves")):
        told = f"is that of images padded with {words}"
        found.append(Alternative(_conv(other, w, b, stride, 0), "padding-wrong", told))
    return tuple(found)


def check_conv_backward(unit: Unit) -> None:
    """dx, dw and db, with each stride and padding; without padding a slip is only a remark."""
    x, w, b = _conv_inputs(unit)
    for stride, padding in STEPS:
        out, cache = conv_forward(x, w, b, stride=stride, padding=padding)
        dout = unit.rng.normal(size=out.shape)
        arguments = {"x": x, "w": w, "b": b, "param": {"stride": stride, "pad": padding}}
        expected = dict(zip(("dx", "dw", "db"), conv_backward(dout, cache), strict=True))
        known = _known_gradients(x, w, b, dout, stride, padding)
        backward(unit, CONV, arguments, out, dout, expected, known)
    if not unit.findings:
        _without_padding(unit, x, w, b)


def _without_padding(unit: Unit, x: FloatArray, w: FloatArray, b: FloatArray) -> None:
    out, right = conv_forward(x, w, b)
    dout = unit.rng.normal(size=out.shape)
    try:
        _, cache = unit.functions[CONV](x.copy(), w.copy(), b.copy(), {"stride": 1, "pad": 0})
        dx = unit.functions[unit.owns[0]](dout.copy(), cache)[0]
    except Exception as error:
        unit.find("wrong-without-padding", f"with pad = 0 it stops: {type(error).__name__}: {error}"[:300])
        return
    if not agrees(dx, conv_backward(dout, right)[0]):
        unit.find("wrong-without-padding", f"with pad = 0, dx has shape {np.shape(dx)} and other values than it should")


def _known_gradients(
    x: FloatArray, w: FloatArray, b: FloatArray, dout: FloatArray, stride: int, padding: int
) -> dict[str, Known]:
    _, cache = conv_forward(x, w, b, stride=stride, padding=padding)
    _, dw, db = conv_backward(dout, cache)
    H, W = x.shape[2:]
    middle = (slice(None), slice(None), slice(padding, padding + H), slice(padding, padding + W))
    dwindows = np.einsum("nfpq,fckl->ncpqkl", dout, w)
    whole = from_windows(dwindows, cache.padded.shape, stride)
    turned = conv_backward(dout, cache._replace(w=w[:, :, ::-1, ::-1]))[0]
    last = np.einsum("nfpq,fckl->nfcpqkl", dout, w)[:, -1]
    words = "holds the last window on each place instead of the sum"
    dx = [
        Alternative(whole, "padding-not-removed", "is that of the padded images"),
        Alternative(whole[:, :, :H, :W], "padding-not-removed", "is cut out of the wrong place"),
        Alternative(turned, "filter-flipped", "is that of filters turned"),
        Alternative(_overwritten(dwindows, cache.padded.shape, stride)[middle], "windows-not-added", words),
        Alternative(_overwritten(last, cache.padded.shape, stride)[middle], "windows-not-added", words),
        Alternative(
            from_windows(last, cache.padded.shape, stride)[middle], "wrong-gradient", "is that of the last filter"
        ),
    ]
    if stride > 1:
        dx.append(Alternative(from_windows(dwindows, whole.shape, 1)[middle], "stride-ignored", "is that of stride 1"))
    near = windows(cache.padded, w.shape[2:], 1)[:, :, : dout.shape[2], : dout.shape[3]]
    seen = windows(cache.padded, w.shape[2:], stride)
    known_dw = [
        Alternative(dw[:, :, ::-1, ::-1], "filter-flipped", "is turned"),
        Alternative(np.einsum("nf,nckl->fckl", dout[..., -1, -1], seen[:, :, -1, -1]), "windows-not-added",
                    "holds the last place instead of the sum over all"),
        Alternative(np.einsum("f,ckl->fckl", dout[-1, :, -1, -1], seen[-1, :, -1, -1]), "windows-not-added",
                    "holds the last place instead of the sum over all"),
    ]  # fmt: skip
    if stride > 1:
        known_dw.append(
            Alternative(np.einsum("nfpq,ncpqkl->fckl", dout, near), "stride-ignored", "is that of stride 1")
        )
    known_db = [
        Alternative(db / len(x), "bias-gradient-averaged", "is averaged over the batch instead of summed"),
        Alternative(
            dout[:, :, -1, -1].sum(axis=0), "windows-not-added", "holds the last place instead of the sum over all"
        ),
        Alternative(
            dout[:, :, 0, 0].sum(axis=0), "windows-not-added", "holds the first place instead of the sum over all"
        ),
    ]
    for n, which in ((0, "first"), (-1, "last")):  # of the examples
        one = np.einsum("fpq,cpqkl->fckl", dout[n], seen[n])
        words = f"is that of the {which} example instead of the sum over all"
        known_dw.append(Alternative(one, "examples-not-summed", words))
        known_db.append(Alternative(dout[n].sum(axis=(1, 2)), "examples-not-summed", words))
    known_db.append(Alternative(dout.sum(axis=(2, 3)), "examples-not-summed", "has a row for each example"))
    return {"dx": tuple(dx), "dw": tuple(known_dw), "db": tuple(known_db)}


def _overwritten(dwindows: AnyArray, shape: tuple[int, ...], stride: int) -> FloatArray:
    """What assigning window by window leaves, where adding is meant."""
    total = np.zeros(shape)
    *_, P, Q, K, L = dwindows.shape
    for p, q in np.ndindex(P, Q):
        total[:, :, p * stride : p * stride + K, q * stride : q * stride + L] = dwindows[:, :, p, q]
    return total


def _param(size: tuple[int, int], stride: int) -> dict[str, Any]:
    return {"pool_height": size[0], "pool_width": size[1], "stride": stride}


def check_max_pool_forward(unit: Unit) -> None:
    """The maximum of each window."""
    for shape, size, stride in POOLS:
        x = unit.rng.normal(size=(2, 3, *shape))
        out, _ = unit.pair(POOL, x, _param(size, stride))
        right = max_pool_forward(x, **_param(size, stride))[0]
        P, Q = right.shape[2:]
        seen = windows(x, size, stride)
        known = [
            Alternative(seen.mean(axis=(4, 5)), "wrong-output", "is the mean of each window"),
            Alternative(seen.min(axis=(4, 5)), "wrong-output", "is the smallest of each window"),
            Alternative(np.maximum(right, 0), "wrong-output", "is never below zero: the search starts from there"),
            Alternative(np.abs(seen).max(axis=(4, 5)), "wrong-output", "is the largest magnitude of each window"),
        ]
        for step in (1, *size):
            if step != stride:
                other = windows(x, size, step).max(axis=(4, 5))
                words = f"is that of stride {step}"
                known += [Alternative(one, "stride-ignored", words) for one in (other, other[:, :, :P, :Q])]
        output(unit, POOL, out, right, tuple(known))


def check_max_pool_backward(unit: Unit) -> None:
    """dout at the maximum of each window; several equal ones; windows that overlap, as a remark."""
    name = unit.owns[0]
    for shape, size, stride in POOLS:
        x, param = unit.rng.normal(size=(2, 3, *shape)), _param(size, stride)
        out, cache = max_pool_forward(x, **param)
        dout = unit.rng.normal(size=out.shape)
        everywhere = np.broadcast_to(dout[..., None, None], (*dout.shape, *size))
        dx = max_pool_backward(dout, cache)
        known = (
            Alternative(from_windows(everywhere, x.shape, stride), "wrong-gradient", "is spread over the whole window"),
            Alternative((dx != 0) * 1.0, "wrong-gradient", "lacks the factor dout"),
            Alternative(dx * x, "wrong-gradient", "is multiplied by x"),
        )
        backward(unit, POOL, {"x": x, "param": param}, out, dout, {"dx": dx}, {"dx": known})
    if not unit.findings:
        _ties(unit, name)
        _overlap(unit, name)


def _ties(unit: Unit, name: str) -> None:
    """Any of several equal maxima may have the gradient, or all a share; that each has all of it is a remark."""
    shape, size, stride = POOLS[0]
    x = unit.rng.integers(0, 2, size=(2, 3, *shape)).astype(float)
    param = _param(size, stride)
    out, cache = unit.pair(POOL, x, param)
    if not agrees(out, max_pool_forward(x, **param)[0]):
        return
    dout = unit.rng.uniform(1, 2, size=np.shape(out))
    dx = unit.array(name, unit.call(name, dout, cache), "dx")
    seen, got = windows(x, size, stride), windows(dx, size, stride)
    largest = seen == np.asarray(out)[..., None, None]
    sums = got.sum(axis=(4, 5))
    if agrees(sums, dout):
        return
    if agrees(got, largest * dout[..., None, None]):
        unit.find("ties-get-all", "where a window has several equal maxima, each of them has the whole of dout")
        return
    tied = largest.sum(axis=(4, 5)) > 1
    verdict = "tied-maximum-lost" if np.all(sums[tied] == 0) else "wrong-gradient"
    told = f"of several equal maxima: their gradients sum to {sums[tied][0]:.4g}, expected {dout[tied][0]:.4g}"
    unit.find(verdict, told)


def _overlap(unit: Unit, name: str) -> None:
    x, param = unit.rng.normal(size=(2, 3, 5, 6)), _param((3, 2), 1)
    out, right = max_pool_forward(x, **param)
    dout = unit.rng.normal(size=out.shape)
    try:
        dx = np.asarray(unit.functions[name](dout.copy(), unit.functions[POOL](x.copy(), param)[1]))
        wrong = difference("with windows that overlap dx", dx, max_pool_backward(dout, right))
        told = wrong.words if wrong else ""
    except Exception as error:
        told = f"with windows that overlap it stops: {type(error).__name__}: {error}"[:300]
    if told:
        unit.find("windows-not-added", told, severity="note")
