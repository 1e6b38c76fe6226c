"""Image layers for testing the checker: correct ones in several styles, and the changes that cause each fault."""

from __future__ import annotations

IMAGES = """\
import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode, eps, momentum = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))
    cache = None
    if mode == "train":
        mean, var = x.mean(axis=0), x.var(axis=0)
        std = np.sqrt(var + eps)
        hat = (x - mean) / std
        out = gamma * hat + beta
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
        cache = (hat, std, gamma)
    else:
        out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
    return out, cache


def batchnorm_backward(dout, cache):
    hat, std, gamma = cache
    g = dout * gamma
    dx = (g - g.mean(axis=0) - hat * (g * hat).mean(axis=0)) / std
    return dx, (dout * hat).sum(axis=0), dout.sum(axis=0)


def conv_forward_naive(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    P, Q = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")
    out = np.zeros((N, F, P, Q))
    for n in range(N):
        for f in range(F):
            for i in range(P):
                for j in range(Q):
                    top, left = i * stride, j * stride
                    window = padded[n, :, top:top + HH, left:left + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")
    dpadded, dw, db = np.zeros_like(padded), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    above = dout[n, f, i, j]
                    db[f] += above
                    rows, columns = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
                    dw[f] += above * padded[n, :, rows, columns]
                    dpadded[n, :, rows, columns] += above * w[f]
    dx = dpadded[:, :, pad:pad + H, pad:pad + W]
    return dx, dw, db


def max_pool_forward_naive(x, pool_param):
    K, L, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    out = np.zeros((N, C, 1 + (H - K) // stride, 1 + (W - L) // stride))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = x[:, :, i * stride:i * stride + K, j * stride:j * stride + L].max(axis=(2, 3))
    return out, (x, pool_param)


def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    K, L, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, P, Q = dout.shape
    dx = np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            for i in range(P):
                for j in range(Q):
                    window = x[n, c, i * stride:i * stride + K, j * stride:j * stride + L]
                    k, l = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, i * stride + k, j * stride + l] += dout[n, c, i, j]
    return dx


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
    out, cache = batchnorm_forward(rows, gamma, beta, bn_param)
    return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache


def spatial_batchnorm_backward(dout, cache):
    N, C, H, W = dout.shape
    rows = dout.transpose(0, 2, 3, 1).reshape(-1, C)
    dx, dgamma, dbeta = batchnorm_backward(rows, cache)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    eps = gn_param.get("eps", 1e-5)
    N, C, H, W = x.shape
    groups = x.reshape(N, G, C // G, H, W)
    mean, var = groups.mean(axis=(2, 3, 4), keepdims=True), groups.var(axis=(2, 3, 4), keepdims=True)
    std = np.sqrt(var + eps)
    hat = ((groups - mean) / std).reshape(x.shape)
    return gamma * hat + beta, (hat, std, gamma, G)


def spatial_groupnorm_backward(dout, cache):
    hat, std, gamma, G = cache
    N, C, H, W = dout.shape
    dbeta, dgamma = dout.sum(axis=(0, 2, 3), keepdims=True), (dout * hat).sum(axis=(0, 2, 3), keepdims=True)
    g, h = (dout * gamma).reshape(N, G, C // G, H, W), hat.reshape(N, G, C // G, H, W)
    through_mean = g.mean(axis=(2, 3, 4), keepdims=True)
    through_var = h * (g * h).mean(axis=(2, 3, 4), keepdims=True)
    dx = ((g - through_mean - through_var) / std).reshape(dout.shape)
    return dx, dgamma, dbeta
"""

SUM = "out[n, f, i, j] = np.sum(window * w[f]) + b[f]"
PAD = 'padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")\n    out'
UNPAD = "dx = dpadded[:, :, pad:pad + H, pad:pad + W]"
ROWS = "rows = x.transpose(0, 2, 3, 1).reshape(-1, C)"
BACK = "return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache"
DROWS = "rows = dout.transpose(0, 2, 3, 1).reshape(-1, C)"
DBACK = "return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta"
GROUPS = "groups = x.reshape(N, G, C // G, H, W)"
STATISTICS = "mean, var = groups.mean(axis=(2, 3, 4), keepdims=True), groups.var(axis=(2, 3, 4), keepdims=True)"
DX = "dx = ((g - through_mean - through_var) / std)"
PLACE = "dx[n, c, i * stride + k, j * stride + l] += dout[n, c, i, j]"
RESULT = '        out = gamma * hat + beta\n        bn_param["running_mean"]'
CHANNEL = "[:, None, None]"

# The verdict, the function it is about, and the replacements; each row leads to this one fault and no other.
FAULTS: list[tuple[str, str, dict[str, str]]] = [
    ("padding-ignored", "conv_forward_naive", {
        "P, Q = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride\n    padded": "pad = 0\n    P, Q = 1 + (H - HH) // stride, 1 + (W - WW) // stride\n    padded"}),
    ("padding-wrong", "conv_forward_naive", {PAD: PAD.replace('"constant"', '"edge"')}),
    ("padding-wrong", "conv_forward_naive", {PAD: PAD.replace('"constant"', '"constant", constant_values=1')}),
    ("padding-wrong", "conv_forward_naive", {PAD: PAD.replace("(pad, pad), (pad, pad)", "(2 * pad, 0), (2 * pad, 0)")}),
    ("padding-wrong", "conv_forward_naive", {PAD: PAD.replace("(pad, pad), (pad, pad)", "(0, 2 * pad), (0, 2 * pad)")}),
    ("stride-ignored", "conv_forward_naive", {"top, left = i * stride, j * stride": "top, left = i, j"}),
    ("stride-ignored", "conv_forward_naive", {
        '    stride, pad = conv_param["stride"], conv_param["pad"]\n    N, C, H, W = x.shape\n    F, _, HH, WW = w.shape\n    P': '    stride, pad = 1, conv_param["pad"]\n    N, C, H, W = x.shape\n    F, _, HH, WW = w.shape\n    P'}),
    ("filter-flipped", "conv_forward_naive", {SUM: SUM.replace("w[f]", "w[f][:, ::-1, ::-1]")}),
    ("filter-flipped", "conv_forward_naive", {SUM: SUM.replace("w[f]", "w[f].transpose(0, 2, 1)")}),
    ("wrong-output", "conv_forward_naive", {SUM: SUM.replace(" + b[f]", "")}),
    ("wrong-output", "conv_forward_naive", {SUM: SUM.replace("+ b[f]", "+ C * b[f]")}),
    ("wrong-output", "conv_forward_naive", {SUM: SUM.replace("window * w[f]", "(window * w[f])[0]")}),
    ("wrong-output", "conv_forward_naive", {SUM: SUM.replace("np.sum", "np.mean")}),
    ("wrong-output", "conv_forward_naive", {SUM: SUM.replace("b[f]", "b[f - 1]")}),
    ("unimplemented", "conv_forward_naive", {"    return out, (x, w, b, conv_param)": "    return None, (x, w, b, conv_param)"}),
    ("padding-wrong", "conv_forward_naive", {PAD: PAD.replace("np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))", "np.pad(x, pad")}),
    ("padding-wrong", "conv_forward_naive", {PAD: PAD.replace("(0, 0), (0, 0), (pad, pad), (pad, pad)", "(0, 0), (0, 0), (pad, pad), (0, 0)")}),
    ("height-and-width-exchanged", "conv_forward_naive", {"F, _, HH, WW = w.shape\n    P": "F, _, WW, HH = w.shape\n    P"}),
    ("height-and-width-exchanged", "conv_forward_naive", {"F, _, HH, WW = w.shape\n    P": "F, _, HH, WW = w.shape\n    WW = HH\n    P"}),
    ("height-and-width-exchanged", "conv_backward_naive", {"F, _, HH, WW = w.shape\n    padded": "F, _, WW, HH = w.shape\n    padded"}),
    ("crashed", "conv_backward_naive", {"above = dout[n, f, i, j]": "above = dout[n, f, i, j, 0]"}),
    ("wrong-return", "conv_backward_naive", {"return dx, dw, db": "return dx, dw"}),
    ("unimplemented", "conv_backward_naive", {"return dx, dw, db": "return dx, dw, None"}),
    ("padding-not-removed", "conv_backward_naive", {UNPAD: "dx = dpadded"}),
    ("padding-not-removed", "conv_backward_naive", {UNPAD: "dx = dpadded[:, :, :H, :W]"}),
    ("windows-not-added", "conv_backward_naive", {"columns] += above * w[f]": "columns] = above * w[f]"}),
    ("windows-not-added", "conv_backward_naive", {"dw[f] += above": "dw[f] = above"}),
    ("examples-not-summed", "conv_backward_naive", {"db[f] += above": "db[f] += above * (n == N - 1)"}),
    ("examples-not-summed", "conv_backward_naive", {"dw[f] += above": "dw[f] += (n == 0) * above"}),
    ("examples-not-summed", "conv_backward_naive", {"return dx, dw, db": "return dx, dw, dout.sum(axis=(2, 3))"}),
    ("bias-gradient-averaged", "conv_backward_naive", {"db[f] += above": "db[f] += above / N"}),
    ("filter-flipped", "conv_backward_naive", {"columns] += above * w[f]": "columns] += above * w[f][:, ::-1, ::-1]"}),
    ("stride-ignored", "conv_backward_naive", {
        "dpadded[n, :, rows, columns] +=": "dpadded[n, :, i:i + HH, j:j + WW] +="}),
    ("stride-ignored", "conv_backward_naive", {"above * padded[n, :, rows, columns]": "above * padded[n, :, i:i + HH, j:j + WW]"}),
    ("gradient-sign", "conv_backward_naive", {"return dx, dw, db": "return -dx, dw, db"}),
    ("gradient-scaled", "conv_backward_naive", {"return dx, dw, db": "return dx, dw / N, db"}),
    ("wrong-gradient", "conv_backward_naive", {"columns] += above * w[f]": "columns] += above * w[f - 1]"}),
    ("input-mutated", "conv_forward_naive", {"    return out, (x, w, b, conv_param)": "    b += 1\n    return out, (x, w, b, conv_param)"}),
    ("wrong-output", "max_pool_forward_naive", {".max(axis=(2, 3))": ".mean(axis=(2, 3))"}),
    ("wrong-output", "max_pool_forward_naive", {".max(axis=(2, 3))": ".max(axis=(2, 3), initial=0)"}),
    ("wrong-output", "max_pool_forward_naive", {".max(axis=(2, 3))": ".min(axis=(2, 3))"}),
    ("stride-ignored", "max_pool_forward_naive", {"i * stride:i * stride + K, j * stride:j * stride + L].max": "i:i + K, j:j + L].max"}),
    ("stride-ignored", "max_pool_forward_naive", {"    out = np.zeros((N, C, 1 + (H - K)": "    stride = K\n    out = np.zeros((N, C, 1 + (H - K)"}),
    ("tied-maximum-lost", "max_pool_backward_naive", {PLACE: PLACE + " * (np.sum(window == window.max()) == 1)"}),
    ("wrong-gradient", "max_pool_backward_naive", {PLACE: PLACE.replace("i * stride + k, j * stride + l", "i * stride:i * stride + K, j * stride:j * stride + L")}),
    ("wrong-gradient", "max_pool_backward_naive", {PLACE: PLACE.replace("dout[n, c, i, j]", "1.0")}),
    ("wrong-gradient", "max_pool_backward_naive", {"np.argmax(window)": "np.argmin(window)"}),
    ("shape-changed", "max_pool_backward_naive", {"    return dx\n\n\ndef spatial": "    return dx.ravel()\n\n\ndef spatial"}),
    ("channels-mixed-up", "spatial_batchnorm_forward", {ROWS: "rows = x.reshape(-1, C)", BACK: "return out.reshape(x.shape), cache"}),
    ("channels-mixed-up", "spatial_batchnorm_forward", {BACK: "return out.reshape(x.shape), cache"}),
    ("channels-mixed-up", "spatial_batchnorm_backward", {DBACK: "return dx.reshape(dout.shape), dgamma, dbeta"}),
    ("running-statistics-not-updated", "spatial_batchnorm_forward", {"rows, gamma, beta, bn_param": "rows, gamma, beta, dict(bn_param)"}),
    ("running-momentum-swapped", "spatial_batchnorm_forward", {"out, cache = batchnorm_forward(rows, gamma, beta, bn_param)":
        "m = bn_param.get('momentum', 0.9); out, cache = batchnorm_forward(rows, gamma, beta, bn_param)\n    if bn_param['mode'] == 'train':\n"
        "        for key, new in (('running_mean', rows.mean(axis=0)), ('running_var', rows.var(axis=0))):\n"
        "            old = (bn_param[key] - (1 - m) * new) / m\n            bn_param[key] = (1 - m) * old + m * new"}),
    ("batch-statistics-at-test", "spatial_batchnorm_forward", {"rows, gamma, beta, bn_param": "rows, gamma, beta, dict(bn_param, mode='train') if bn_param['mode'] == 'test' else bn_param"}),
    ("wrong-axis", "spatial_batchnorm_forward", {"    " + ROWS + "\n": "    " + ROWS + "\n    if bn_param['mode'] == 'train':\n        cache = batchnorm_forward(rows, gamma, beta, bn_param)[1]\n"
        "        hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)\n        return gamma[:, None, None] * hat + beta[:, None, None], cache\n"}),
    ("wrong-output", "spatial_batchnorm_forward", {"batchnorm_forward(rows, gamma, beta, bn_param)": "batchnorm_forward(rows, gamma, 0 * beta, bn_param)"}),
    ("wrong-gradient", "spatial_batchnorm_backward", {DBACK: DBACK.replace("dgamma", "dbeta")}),
    ("examples-not-summed", "spatial_batchnorm_backward", {DBACK: DBACK.replace("dbeta", "dout[-1].sum(axis=(1, 2))")}),
    ("groups-mixed-up", "spatial_groupnorm_forward", {GROUPS: "groups = x.reshape(N, C // G, G, H, W).swapaxes(1, 2)", "/ std).reshape(x.shape)": "/ std).swapaxes(1, 2).reshape(x.shape)"}),
    ("groups-mixed-up", "spatial_groupnorm_forward", {GROUPS: "G = C // G\n    groups = x.reshape(N, G, C // G, H, W)"}),
    ("wrong-axis", "spatial_groupnorm_forward", {STATISTICS: STATISTICS.replace("(2, 3, 4)", "(1, 2, 3, 4)")}),
    ("wrong-axis", "spatial_groupnorm_forward", {STATISTICS: STATISTICS.replace("(2, 3, 4)", "(0, 2, 3, 4)")}),
    ("wrong-axis", "spatial_groupnorm_forward", {STATISTICS: STATISTICS.replace("(2, 3, 4)", "(3, 4)")}),
    ("wrong-output", "spatial_groupnorm_forward", {"return gamma * hat + beta, (hat": "return gamma * hat, (hat"}),
    ("wrong-output", "spatial_groupnorm_forward", {"std = np.sqrt(var + eps)\n    hat = ((g": "std = var + eps\n    hat = ((g"}),
    ("missing-mean-term", "spatial_groupnorm_backward", {DX: DX.replace(" - through_mean", "")}),
    ("missing-variance-term", "spatial_groupnorm_backward", {DX: DX.replace(" - through_var", "")}),
    ("missing-mean-and-variance-terms", "spatial_groupnorm_backward", {DX: DX.replace(" - through_mean - through_var", "")}),
    ("shape-changed", "spatial_groupnorm_backward", {"dout.sum(axis=(0, 2, 3), keepdims=True), ": "dout.sum(axis=0), "}),
]  # fmt: skip

# Changes that lead to a note, in correct code.
NOTES: list[tuple[str, str, dict[str, str]]] = [
    ("ties-get-all", "max_pool_backward_naive", {PLACE: "dx[n, c, i * stride:i * stride + K, j * stride:j * stride + L] += (window == window.max()) * dout[n, c, i, j]"}),
    ("windows-not-added", "max_pool_backward_naive", {PLACE: PLACE.replace("+=", "=")}),
    ("wrong-without-padding", "conv_backward_naive", {UNPAD: "dx = dpadded[:, :, pad:-pad, pad:-pad]"}),
]  # fmt: skip

WINDOWS = """\
import numpy as np
from numpy.lib.stride_tricks import as_strided


def conv_forward_naive(x, w, b, conv_param):
    s, p = conv_param["stride"], conv_param["pad"]
    view = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0,), (0,), (p,), (p,))), w.shape[2:], axis=(2, 3))
    view = view[:, :, ::s, ::s]
    return np.einsum("ncpqkl,fckl->nfpq", view, w) + b.reshape(1, -1, 1, 1), (x, view, w, s, p)


def conv_backward_naive(dout, cache):
    x, view, w, s, p = cache
    spread = np.zeros((*dout.shape[:2], (dout.shape[2] - 1) * s + 1, (dout.shape[3] - 1) * s + 1))
    spread[:, :, ::s, ::s] = dout
    K, L = w.shape[2:]
    spread = np.pad(spread, ((0,), (0,), (K - 1,), (L - 1,)))
    full = np.lib.stride_tricks.sliding_window_view(spread, (K, L), axis=(2, 3))
    dx = np.einsum("nfpqkl,fckl->ncpq", full, w[:, :, ::-1, ::-1])
    dx = dx[:, :, p:p + x.shape[2], p:p + x.shape[3]]
    return dx, np.einsum("nfpq,ncpqkl->fckl", dout, view), dout.sum(axis=(0, 2, 3)).reshape(1, -1)


def max_pool_forward_naive(x, pool_param):
    K, L, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    view = np.lib.stride_tricks.sliding_window_view(x, (K, L), axis=(2, 3))[:, :, ::s, ::s]
    return view.max(axis=(4, 5)), (x, K, L, s)


def max_pool_backward_naive(dout, cache):
    x, K, L, s = cache
    dx = np.zeros_like(x)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            window = x[:, :, i * s:i * s + K, j * s:j * s + L]
            mask = window == window.max(axis=(2, 3), keepdims=True)
            share = mask / mask.sum(axis=(2, 3), keepdims=True)
            dx[:, :, i * s:i * s + K, j * s:j * s + L] += share * dout[:, :, i, j][:, :, None, None]
    return dx


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum, C = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9), x.shape[1]
    gamma, beta = gamma.reshape(1, C, 1, 1), beta.reshape(1, C, 1, 1)
    mean, var = bn_param.get("running_mean", np.zeros(C)), bn_param.get("running_var", np.zeros(C))
    if bn_param["mode"] == "test":
        return gamma * (x - mean.reshape(1, C, 1, 1)) / np.sqrt(var.reshape(1, C, 1, 1) + eps) + beta, None
    mu, sigma2 = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    bn_param["running_mean"] = momentum * mean + (1 - momentum) * mu.ravel()
    bn_param["running_var"] = momentum * var + (1 - momentum) * sigma2.ravel()
    hat = (x - mu) / np.sqrt(sigma2 + eps)
    return gamma * hat + beta, (hat, gamma / np.sqrt(sigma2 + eps))


def spatial_batchnorm_backward(dout, cache):
    hat, scale = cache
    mean = lambda a: a.mean(axis=(0, 2, 3), keepdims=True)
    return (dout - mean(dout) - hat * mean(dout * hat)) * scale, (dout * hat).sum((0, 2, 3)), dout.sum((0, 2, 3))
"""

COLUMNS = """\
import numpy as np


def columns(x, K, L, p, s):
    N, C, H, W = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    P, Q = (H + 2 * p - K) // s + 1, (W + 2 * p - L) // s + 1
    i = np.tile(np.repeat(np.arange(K), L), C).reshape(-1, 1) + s * np.repeat(np.arange(P), Q).reshape(1, -1)
    j = np.tile(np.arange(L), K * C).reshape(-1, 1) + s * np.tile(np.arange(Q), P).reshape(1, -1)
    k = np.repeat(np.arange(C), K * L).reshape(-1, 1)
    return padded[:, k, i, j].transpose(1, 2, 0).reshape(K * L * C, -1), (k, i, j), padded.shape, P, Q


def conv_forward_naive(x, w, b, conv_param):
    cols, places, shape, P, Q = columns(x, w.shape[2], w.shape[3], conv_param["pad"], conv_param["stride"])
    out = (w.reshape(len(w), -1) @ cols + b[:, None]).reshape(len(w), P, Q, len(x)).transpose(3, 0, 1, 2)
    return out, (x, w, cols, places, shape, conv_param["pad"])


def conv_backward_naive(dout, cache):
    x, w, cols, (k, i, j), shape, p = cache
    d = dout.transpose(1, 2, 3, 0).reshape(len(w), -1)
    dcols = (w.reshape(len(w), -1).T @ d).reshape(cols.shape[0], -1, len(x)).transpose(2, 0, 1)
    dpadded = np.zeros(shape)
    np.add.at(dpadded, (slice(None), k, i, j), dcols)
    dx = dpadded if p == 0 else dpadded[:, :, p:-p, p:-p]
    return dx, (d @ cols.T).reshape(w.shape), d.sum(axis=1)


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    N, C, H, W = x.shape
    rows = x.reshape(N * G, -1)
    mean, std = rows.mean(axis=1, keepdims=True), np.sqrt(rows.var(axis=1, keepdims=True) + gn_param.get("eps", 1e-5))
    hat = (rows - mean) / std
    return gamma.reshape(1, C, 1, 1) * hat.reshape(x.shape) + beta.reshape(1, C, 1, 1), (hat, std, gamma, G)


def spatial_groupnorm_backward(dout, cache):
    hat, std, gamma, G = cache
    N, C, H, W = dout.shape
    h = hat.reshape(dout.shape)
    g = (dout * gamma.reshape(1, C, 1, 1)).reshape(hat.shape)
    dx = (g - g.mean(axis=1, keepdims=True) - hat * (g * hat).mean(axis=1, keepdims=True)) / std
    return dx.reshape(dout.shape), np.sum(dout * h, axis=(0, 2, 3)), np.sum(dout, axis=(0, 2, 3))
"""

RIGHT = {"loops": IMAGES, "views of windows": WINDOWS, "columns": COLUMNS}
