"""Layer files for the tests of the checker: right ones, and what to change in them for each fault."""

from __future__ import annotations

KEEP = {"drop": "(1 - p)", "keep": "p"}

DROPOUT = """\
import numpy as np


def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    mask = None
    if mode == "train":
        mask = (np.random.rand(*x.shape) < KEEP) / KEEP
        out = x * mask
    else:
        out = x
    out = out.astype(x.dtype, copy=False)
    return out, (dropout_param, mask)


def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "train":
        return dout * mask
    return dout
"""

DRAW = "mask = (np.random.rand(*x.shape) < KEEP) / KEEP"
APPLY = "out = x * mask"
AT_TEST = "        out = x\n"
BACK = "return dout * mask"

# The verdict, and what is put for what; each leads to this one fault and no other.
DROPOUT_FAULTS: list[tuple[str, dict[str, str]]] = [
    ("mask-not-applied-in-backward", {BACK: "return dout"}),
    ("mask-not-applied-in-backward", {BACK: "return dout / KEEP_OF_CACHE"}),
    ("new-mask-in-backward", {BACK: "return dout * (np.random.rand(*dout.shape) < KEEP_OF_CACHE) / KEEP_OF_CACHE"}),
    ("mask-inverted-in-backward", {BACK: "return dout * (mask == 0)"}),
    ("scaled-differently-in-backward", {BACK: "return dout * (mask > 0)"}),
    ("scaled-differently-in-backward", {BACK: "return dout * mask / KEEP_OF_CACHE"}),
    ("scaled-by-wrong-probability", {"< KEEP) / KEEP": "< KEEP) / (1 - KEEP)"}),
    ("scaled-by-wrong-probability", {"< KEEP) / KEEP": "< KEEP) * KEEP"}),
    ("not-scaled-in-training", {"< KEEP) / KEEP": "< KEEP) * 1.0"}),
    ("scaled-at-test", {AT_TEST: "        out = x * KEEP\n"}),
    ("scaled-at-test", {AT_TEST: "        out = x / KEEP\n"}),
    ("active-at-test", {'mode == "train":\n        mask =': "True:\n        mask ="}),
    ("active-at-test", {AT_TEST: "        out = x * (np.random.rand(*x.shape) < KEEP) / KEEP\n"}),
    ("inactive-in-training", {APPLY: "out = x"}),
    ("keep-and-drop-swapped", {"< KEEP) / KEEP": "> KEEP) / (1 - KEEP)"}),
    ("keep-and-drop-swapped", {"< KEEP) / KEEP": "> KEEP) / KEEP"}),
    ("mask-shared-across-batch", {"rand(*x.shape)": "rand(x.shape[1])"}),
    (
        "mask-shared-across-batch",
        {"rand(*x.shape)": "rand(x.shape[0], 1)", APPLY: "mask = mask + 0 * x; out = x * mask"},
    ),
    ("mask-shared-across-batch", {"rand(*x.shape)": "rand()", APPLY: "mask = mask + 0 * x; out = x * mask"}),
    ("mask-depends-on-input", {"np.random.rand(*x.shape)": "np.random.rand(*x.shape) * (1.2 - 0.4 * (x > 0))"}),
    ("mask-depends-on-input", {"(np.random.rand(*x.shape) < KEEP)": "(x <= np.quantile(x, KEEP))"}),
    ("mask-depends-on-input", {BACK: "return dout * mask * (X != 0)", APPLY: "global X; X = x; out = x * mask"}),
    (
        "mask-depends-on-input",
        {"        mask =": "        np.random.seed(int(abs(x.sum()) * 1e6) % 2 ** 32)\n        mask ="},
    ),
    ("same-mask-every-call", {"        mask =": "        np.random.seed(0)\n        mask ="}),
    ("same-mask-every-call", {"np.random.rand(*x.shape)": "np.random.default_rng(0).random(x.shape)"}),
    ("input-mutated", {APPLY: "x *= mask; out = x"}),
    ("dtype-changed", {"out = out.astype(x.dtype, copy=False)": "out = out.astype(np.float64)"}),
    ("dtype-changed", {"out = out.astype(x.dtype, copy=False)": "out = out.astype(np.float32)"}),
    ("shape-changed", {"return out, (": "return out.ravel(), ("}),
    ("shape-changed", {BACK: "return (dout * mask).ravel()"}),
    ("wrong-rate", {"< KEEP) / KEEP": "< KEEP * 0.9) / KEEP"}),
    ("wrong-rate", {"(np.random.rand(*x.shape) < KEEP)": "(np.random.randn(*x.shape) < KEEP)"}),
    ("wrong-rate", {"(np.random.rand(*x.shape) < KEEP)": "(np.random.rand(*x.shape) < 0.5)"}),
    ("wrong-rate", {DRAW: "mask = (np.random.rand(*x.shape) < 0.5) / 0.5"}),
    (
        "mask-for-two-dimensions",
        {
            DRAW: "mask = np.zeros(x.shape)\n        for i in xrange(x.shape[0]):\n            for j in range(x.shape[1]):\n"
            "                mask[i, j] = (np.random.rand() < KEEP) / KEEP"
        },
    ),
    ("mask-for-two-dimensions", {"rand(*x.shape)": "rand(x.shape[0], x.shape[1])"}),
    ("mask-for-two-dimensions", {"rand(*x.shape)": "rand(*x.shape[:2], *(1 for _ in x.shape[2:]))"}),
    ("mask-for-two-dimensions", {DRAW: "N, D = x.shape; mask = (np.random.rand(N, D) < KEEP) / KEEP"}),
    ("mask-for-two-dimensions", {BACK: "return np.einsum('ij,ij->ij', dout, mask)"}),
    ("mask-for-two-dimensions", {BACK: "return (dout * mask).reshape(len(dout), -1)"}),
    (
        "exact-count",
        {  # with classic scaling
            DRAW: "mask = np.ones(x.shape)\n        for j in range(x.shape[1]):\n"
            "            mask[np.random.choice(len(x), int(len(x) * (1 - KEEP)), replace=False), j] = 0",
            AT_TEST: "        out = x * KEEP\n",
        },
    ),
    (
        "exact-count",
        {
            DRAW: "mask = np.zeros(x.shape)\n        for j in range(x.shape[1]):\n"
            "            mask[np.random.permutation(len(x))[: int(len(x) * KEEP)], j] = 1 / KEEP"
        },
    ),
    (
        "exact-count",
        {
            DRAW: "order = np.random.rand(*x.shape).argsort(axis=-1)\n        mask = (order < KEEP * x.shape[-1] - 0.5) / KEEP"
        },
    ),
    (
        "exact-count",
        {
            DRAW: "order = np.random.rand(*x.shape).argsort(axis=0)\n        mask = (order < KEEP * x.shape[0] - 0.5) / KEEP"
        },
    ),
    ("wrong-rate", {DRAW: "mask = (np.random.rand(*x.shape) < KEEP ** (len(x) > 1)) / KEEP"}),
    ("values-changed", {DRAW: "mask = np.random.rand(*x.shape); mask[mask > KEEP] = 0"}),
    ("values-changed", {DRAW: "mask = np.random.rand(*x.shape)"}),
    ("values-changed", {APPLY: "out = (x + 1) * mask"}),
    ("values-changed", {APPLY: "out = np.maximum(x * mask, 0.5 * x * mask)"}),
    ("wrong-gradient", {BACK: "return dout * mask * dout"}),
    ("wrong-return", {"return out, (dropout_param, mask)": "return out"}),
    ("unimplemented", {BACK: "pass", "    return dout\n": "    pass\n"}),
    ("unimplemented", {BACK: "raise NotImplementedError"}),
    ("crashed", {BACK: "return dout * maks"}),
    ("crashed", {BACK: "import sys; sys.exit(3)"}),
    ("crashed", {BACK: "import os; os._exit(3)"}),
    (
        "missing-package",
        {"import numpy as np\n": "import numpy as np\nimport torchish\n", BACK: "return torchish.mul(dout, mask)"},
    ),
    ("out-of-memory", {BACK: "np.ones(10 ** 12); return dout * mask"}),
]

# What is worth a remark, in code that is right.
DROPOUT_NOTES: list[tuple[str, dict[str, str]]] = [
    ("input-mutated", {BACK: "dout *= mask; return dout"}),
    ("cache-changed", {BACK: "mask *= dout; return mask.copy()"}),
    ("exact-count", {DRAW: "mask = np.zeros(x.size); mask[np.random.permutation(x.size)[: int(round(KEEP * x.size))]] = 1 / KEEP\n"
        "        mask = mask.reshape(x.shape)"}),
    ("seed-ignored", {'    if "seed" in dropout_param:\n        np.random.seed(dropout_param["seed"])\n': ""}),
    ("no-backward-at-test", {'    if dropout_param["mode"] == "train":\n        return dout * mask\n    return dout\n':
        "    return dout * mask\n"}),
    ("dtype-changed", {"    out = out.astype(x.dtype, copy=False)\n": ""}),
    ("classic-scaling", {"< KEEP) / KEEP": "< KEEP) * 1.0", AT_TEST: "        out = x * KEEP\n",
        "    return dout\n": "    return dout * KEEP_OF_CACHE\n"}),
]  # fmt: skip

RIGHT_DROPOUTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "scaled after the mask": {DRAW: "mask = np.random.rand(*x.shape) < KEEP", APPLY: "out = x * mask / KEEP", BACK: "return dout * mask / KEEP_OF_CACHE"},
    "binomial": {DRAW: "mask = np.random.binomial(1, KEEP, size=x.shape) / KEEP"},
    "choice": {DRAW: "mask = np.random.choice([0, 1], size=x.shape, p=[1 - KEEP, KEEP]) / KEEP"},
    "uniform, from above": {DRAW: "mask = (np.random.uniform(size=x.shape) >= 1 - KEEP) / KEEP"},
    "random_sample": {"np.random.rand(*x.shape)": "np.random.random_sample(x.shape)"},
    "a generator": {"np.random.rand(*x.shape)": "np.random.default_rng(dropout_param.get('seed')).random(x.shape)"},
    "boolean indexing on a copy": {
        DRAW: "mask = np.random.rand(*x.shape) >= KEEP",
        APPLY: "out = x.copy(); out[mask] = 0; out /= KEEP",
        BACK: "dx = dout.copy(); dx[mask] = 0; return dx / KEEP_OF_CACHE",
    },
    "np.where": {APPLY: "out = np.where(mask > 0, x / KEEP, 0)"},
    "loops": {
        DRAW: "mask = np.zeros(x.shape)\n        for i in xrange(x.size):\n"
        "            mask.flat[i] = (np.random.rand() < KEEP) / KEEP"
    },
    "old NumPy's names": {DRAW: "mask = (np.random.rand(*x.shape) < KEEP).astype(np.float) / KEEP"},
    "without the dtype's care": {"    out = out.astype(x.dtype, copy=False)\n": ""},
    "prints": {APPLY: "out = x * mask; print('x' * 10 ** 5)"},
    "a clean cache": {"(dropout_param, mask)\n\n": "(mode, mask)\n\n", "dropout_param, mask = cache": "mode, mask = cache", 'dropout_param["mode"] == "train":\n        return': 'mode == "train":\n        return'},
    "imports that are not needed": {"import numpy as np\n": "import numpy as np\nfrom .fast_layers import *\nimport torchish\n"},
}  # fmt: skip

LAYERS = """\
from builtins import range
import numpy as np


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db


def relu_forward(x):
    out = np.maximum(0, x)
    return out, x


def relu_backward(dout, cache):
    x = cache
    dx = dout * (x > 0)
    return dx


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))
    out, cache = None, None
    if mode == "train":
        mu = x.mean(axis=0)
        var = x.var(axis=0)
        std = np.sqrt(var + eps)
        xhat = (x - mu) / std
        out = gamma * xhat + beta
        cache = (xhat, std, gamma)
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    xhat, std, gamma = cache
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    g = dout * gamma
    dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / std
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    return batchnorm_backward(dout, cache)


def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    lmu = x.mean(axis=1, keepdims=True)
    lstd = np.sqrt(x.var(axis=1, keepdims=True) + eps)
    lhat = (x - lmu) / lstd
    return gamma * lhat + beta, (lhat, lstd, gamma)


def layernorm_backward(dout, cache):
    lhat, lstd, gamma = cache
    lg = dout * gamma
    dx = (lg - lg.mean(axis=1, keepdims=True) - lhat * (lg * lhat).mean(axis=1, keepdims=True)) / lstd
    return dx, (dout * lhat).sum(axis=0), dout.sum(axis=0)


def softmax_loss(x, y):
    shifted = x - x.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    N = x.shape[0]
    loss = -logp[np.arange(N), y].sum() / N
    dx = np.exp(logp)
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx


def svm_loss(x, y):
    N = x.shape[0]
    margins = np.maximum(0, x - x[np.arange(N), y][:, np.newaxis] + 1.0)
    margins[np.arange(N), y] = 0
    dsvm = (margins > 0) * 1.0
    dsvm[np.arange(N), y] -= dsvm.sum(axis=1)
    return margins.sum() / N, dsvm / N
"""

LAYER_FAULTS: list[tuple[str, str, str, str]] = [
    ("wrong-output", "affine_forward", ".dot(w) + b", ".dot(w)"),
    ("bias-gradient-averaged", "affine_backward", "db = np.sum(dout, axis=0)", "db = np.mean(dout, axis=0)"),
    ("gradient-scaled", "affine_backward", ".T.dot(dout)\n", ".T.dot(dout) * 2\n"),
    ("gradient-scaled", "affine_backward", ".T.dot(dout)\n", ".T.dot(dout) / x.shape[0]\n"),
    ("gradient-sign", "affine_backward", "dx = dout.dot(w.T)", "dx = -dout.dot(w.T)"),
    ("shape-changed", "affine_backward", "dout.dot(w.T).reshape(x.shape)", "dout.dot(w.T)"),
    ("shape-changed", "affine_backward", "x.reshape(x.shape[0], -1).T.dot(dout)", "x.reshape(x.shape[0], -1).T.dot(dout).T"),
    ("wrong-gradient", "affine_backward", "db = np.sum(dout, axis=0)", "db = np.sum(dout, axis=0); db[2] += 1"),
    ("wrong-return", "affine_backward", "return dx, dw, db", "return dx, dw"),
    ("unimplemented", "affine_backward", "db = np.sum(dout, axis=0)", "db = None"),
    ("input-mutated", "relu_forward", "out = np.maximum(0, x)", "x[x < 0] = 0; out = x"),
    ("wrong-output", "relu_forward", "out = np.maximum(0, x)", "out = np.abs(x)"),
    ("wrong-gradient", "relu_backward", "dx = dout * (x > 0)", "dx = dout"),
    ("wrong-gradient", "relu_backward", "dx = dout * (x > 0)", "dx = dout * (dout > 0)"),
    ("wrong-output", "batchnorm_forward", "xhat = (x - mu) / std", "xhat = (x - mu) / (var + eps)"),
    ("wrong-axis", "batchnorm_forward", "mu = x.mean(axis=0)\n        var = x.var(axis=0)",
     "mu = x.mean(axis=1, keepdims=True)\n        var = x.var(axis=1, keepdims=True)"),
    ("running-statistics-in-training", "batchnorm_forward", "out = gamma * xhat + beta\n        cache",
     "out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta\n        cache"),
    ("epsilon-missing", "batchnorm_forward", "std = np.sqrt(var + eps)", "std = np.sqrt(var)"),
    ("running-statistics-not-updated", "batchnorm_forward", "momentum * running_mean + (1 - momentum) * mu", "running_mean"),
    ("running-statistics-not-updated", "batchnorm_forward", 'bn_param["running_mean"] = running_mean', ""),
    ("running-momentum-swapped", "batchnorm_forward", "momentum * running_mean + (1 - momentum) * mu",
     "(1 - momentum) * running_mean + momentum * mu"),
    ("running-statistics-wrong", "batchnorm_forward", "momentum * running_var + (1 - momentum) * var",
     "momentum * var + (1 - momentum) * var"),
    ("running-statistics-updated-at-test", "batchnorm_forward", "        out = gamma * (x - running_mean)",
     "        old = running_mean; running_mean = 0.9 * old + x.mean(axis=0)\n        out = gamma * (x - old)"),
    ("batch-statistics-at-test", "batchnorm_forward", "(x - running_mean) / np.sqrt(running_var + eps)",
     "(x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)"),
    ("missing-mean-term", "batchnorm_backward", "g - g.mean(axis=0) - xhat", "g - xhat"),
    ("missing-variance-term", "batchnorm_backward", " - xhat * (g * xhat).mean(axis=0)", ""),
    ("missing-mean-and-variance-terms", "batchnorm_backward", " - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)", ""),
    ("bias-gradient-averaged", "batchnorm_backward", "dbeta = dout.sum(axis=0)", "dbeta = dout.mean(axis=0)"),
    ("wrong-gradient", "batchnorm_backward_alt", "return batchnorm_backward(dout, cache)",
     "a, b, c = batchnorm_backward(dout, cache); return a, c, c"),
    ("wrong-axis", "layernorm_forward", "lmu = x.mean(axis=1, keepdims=True)\n    lstd = np.sqrt(x.var(axis=1, keepdims=True) + eps)",
     "lmu = x.mean(axis=0)\n    lstd = np.sqrt(x.var(axis=0) + eps)"),
    ("missing-mean-term", "layernorm_backward", "lg - lg.mean(axis=1, keepdims=True) - lhat", "lg - lhat"),
    ("unstable", "softmax_loss", "x - x.max(axis=1, keepdims=True)", "x"),
    ("wrong-output", "softmax_loss", "y].sum() / N", "y].sum()"),
    ("gradient-scaled", "softmax_loss", "    dx /= N\n", ""),
    ("wrong-gradient", "softmax_loss", "    dx[np.arange(N), y] -= 1\n", ""),
    ("input-mutated", "softmax_loss", "    shifted = x - x", "    x -= 1\n    shifted = x - x"),
    ("wrong-output", "svm_loss", "    margins[np.arange(N), y] = 0\n    dsvm = (margins > 0) * 1.0\n",
     "    dsvm = (margins > 0) * 1.0\n    dsvm[np.arange(N), y] = 0\n"),
    ("gradient-scaled", "svm_loss", "dsvm / N", "dsvm"),
    ("unimplemented", "svm_loss", "return margins.sum() / N, dsvm / N", "return None, None"),
]  # fmt: skip

OPTIM = """\
import numpy as np


def sgd(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    w -= config["learning_rate"] * dw
    return w, config


def sgd_momentum(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    next_w = w + v
    config["velocity"] = v
    return next_w, config


def sgd_nesterov_momentum(w, dw, config=None):
    nv = config.get("velocity", np.zeros_like(w))
    new = config["momentum"] * nv - config["learning_rate"] * dw
    config["velocity"] = new
    return w + new + config["momentum"] * (new - nv), config


def rmsprop(w, dw, config=None):
    config.setdefault("cache", np.zeros_like(w))
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw ** 2
    return w - config["learning_rate"] * dw / np.sqrt(config["cache"] + config["epsilon"]), config


def adam(w, dw, config=None):
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    config.setdefault("t", 0)
    b1, b2 = config["beta1"], config["beta2"]
    config["t"] += 1
    t = config["t"]
    config["m"] = b1 * config["m"] + (1 - b1) * dw
    config["v"] = b2 * config["v"] + (1 - b2) * dw ** 2
    mt = config["m"] / (1 - b1 ** t)
    vt = config["v"] / (1 - b2 ** t)
    return w - config["learning_rate"] * mt / (np.sqrt(vt) + config["epsilon"]), config
"""

COUNT = '    config["t"] += 1\n    t = config["t"]\n'
RIGHT_ADAMS: dict[str, dict[str, str]] = {
    "t starts at 1": {'setdefault("t", 0)': 'setdefault("t", 1)'},
    "t is used before it is counted, plus one": {COUNT: '    t = config["t"] + 1\n    config["t"] = t\n'},
    "t is a number of NumPy's": {COUNT: '    config["t"] = np.int64(config["t"]) + 1\n    t = config["t"]\n'},
    "t has another name": {'"t"': '"iteration"'},
}

OPTIM_FAULTS: list[tuple[str, str, str, str]] = [
    ("update-uphill", "sgd", 'w -= config["learning_rate"]', 'w += config["learning_rate"]'),
    ("wrong-update", "sgd", 'w -= config["learning_rate"]', 'w -= 2 * config["learning_rate"]'),
    ("state-not-kept", "sgd_momentum", '    config["velocity"] = v\n', ""),
    ("wrong-update", "sgd_momentum", 'config["momentum"] * v - config', '(1 - config["momentum"]) * v - config'),
    ("wrong-update", "sgd_nesterov_momentum", 'w + new + config["momentum"] * (new - nv)', "w + new"),
    ("wrong-update", "rmsprop", "np.sqrt(config[\"cache\"] + config[\"epsilon\"])", '(config["cache"] + 1e-8)'),
    ("bias-correction-missing", "adam", '    mt = config["m"] / (1 - b1 ** t)\n    vt = config["v"] / (1 - b2 ** t)\n',
     '    mt, vt = config["m"], config["v"]\n'),
    ("bias-correction-missing", "adam", ' / (1 - b2 ** t)', ""),
    ("step-not-counted", "adam", 'config["t"] += 1', 'config["t"] = 1'),
    ("step-not-counted", "adam", 'config["t"] += 1', "pass"),
    ("step-not-counted", "adam", COUNT, '    t = config["t"] + 1\n'),
    ("step-counted-late", "adam", COUNT, '    t = config["t"]\n    config["t"] += 1\n'),
    ("step-counted-twice", "adam", 'config["t"] += 1', 'config["t"] += 2'),
    ("step-counted-twice", "adam", "vt = config", 'config["t"] += 1; vt = config'),
    ("power-forgotten", "adam", '    t = config["t"]\n', "    t = 1\n"),
    ("power-forgotten", "adam", "(1 - b2 ** t)", "(1 - b2)"),
    ("wrong-update", "adam", "(1 - b2 ** t)", "(1 - b2 * t)"),
    ("wrong-update", "adam", "(1 - b2 ** t)", "(0.5 - b2 ** t)"),
]  # fmt: skip

NET = """\
import numpy as np
from .layers import *
from .dropout import *


class FullyConnectedNet(object):
    def __init__(self, hidden_dims, input_dim=3 * 32 * 32, num_classes=10, ARGUMENT=NONE, NORM,
                 reg=0.0, weight_scale=1e-2, dtype=np.float32, seed=None):
        self.normalization = NORMALIZES
        self.use_dropout = ARGUMENT != NONE
        self.reg = reg
        self.num_layers = 1 + len(hidden_dims)
        self.dtype = dtype
        self.params = {}
        dims = [input_dim] + hidden_dims + [num_classes]
        for i in range(self.num_layers):
            self.params["W%d" % (i + 1)] = weight_scale * np.random.randn(dims[i], dims[i + 1])
            self.params["b%d" % (i + 1)] = np.zeros(dims[i + 1])
            if self.normalization and i < self.num_layers - 1:
                self.params["gamma%d" % (i + 1)] = np.ones(dims[i + 1])
                self.params["beta%d" % (i + 1)] = np.zeros(dims[i + 1])
        self.dropout_param = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": ARGUMENT}
            if seed is not None:
                self.dropout_param["seed"] = seed
        self.bn_params = [{"mode": "train"} for _ in range(self.num_layers - 1)] if self.normalization else []
        for k, v in self.params.items():
            self.params[k] = v.astype(dtype)

    def loss(self, X, y=None):
        X = X.astype(self.dtype)
        mode = "test" if y is None else "train"
        if self.use_dropout:
            self.dropout_param["mode"] = mode
        for bn_param in self.bn_params:
            bn_param["mode"] = mode
        h, caches, L = X, [], self.num_layers
        for i in range(1, L):
            h, fc = affine_forward(h, self.params["W%d" % i], self.params["b%d" % i])
            bn = do = None
            if self.normalization:
                norm = batchnorm_forward if BATCH else layernorm_forward
                h, bn = norm(h, self.params["gamma%d" % i], self.params["beta%d" % i], self.bn_params[i - 1])
            h, re = relu_forward(h)
            if self.use_dropout:
                h, do = dropout_forward(h, self.dropout_param)
            caches.append((fc, bn, re, do))
        scores, fc = affine_forward(h, self.params["W%d" % L], self.params["b%d" % L])
        if mode == "test":
            return scores
        loss, grads = 0.0, {}
        loss, dh = softmax_loss(scores, y)
        for i in range(1, L + 1):
            loss += 0.5 * self.reg * np.sum(self.params["W%d" % i] ** 2)
        dh, dW, grads["b%d" % L] = affine_backward(dh, fc)
        grads["W%d" % L] = dW + self.reg * self.params["W%d" % L]
        for i in range(L - 1, 0, -1):
            fc, bn, re, do = caches[i - 1]
            if self.use_dropout:
                dh = dropout_backward(dh, do)
            dh = relu_backward(dh, re)
            if self.normalization:
                back = batchnorm_backward if BATCH else layernorm_backward
                dh, grads["gamma%d" % i], grads["beta%d" % i] = back(dh, bn)
            dh, dW, grads["b%d" % i] = affine_backward(dh, fc)
            grads["W%d" % i] = dW + self.reg * self.params["W%d" % i]
        return loss, grads
"""

SPELLINGS: dict[str, tuple[str, str, str, str, str]] = {
    "cs231n-2017": ("dropout", "0", "use_batchnorm=False", "use_batchnorm", "True"),
    "cs231n-2018": ("dropout", "1", "normalization=None", "normalization", "self.normalization == 'batchnorm'"),
    "cs231n-2021": (
        "dropout_keep_ratio",
        "1",
        "normalization=None",
        "normalization",
        "self.normalization == 'batchnorm'",
    ),
    "nndl": ("dropout", "0", "use_batchnorm=False", "use_batchnorm", "True"),
    "nndl-2020": ("dropout", "1", "use_batchnorm=False", "use_batchnorm", "True"),
    "nndl-drop": ("dropout", "0", "use_batchnorm=False", "use_batchnorm", "True"),
}

FORWARD_DROPOUT = """            if self.use_dropout:
                h, do = dropout_forward(h, self.dropout_param)
"""
RELU = "            h, re = relu_forward(h)\n"
BACKWARD_DROPOUT = """            if self.use_dropout:
                dh = dropout_backward(dh, do)
"""
BACKWARD_RELU = "            dh = relu_backward(dh, re)\n"

NET_FAULTS: list[tuple[str, dict[str, str]]] = [
    ("dropout-never-called", {FORWARD_DROPOUT: "", BACKWARD_DROPOUT: ""}),
    ("dropout-backward-never-called", {BACKWARD_DROPOUT: ""}),
    ("dropout-on-output-layer", {
        '        if mode == "test":\n': '        if self.use_dropout:\n            scores, last = dropout_forward(scores, self.dropout_param)\n'
        '        if mode == "test":\n',
        "        dh, dW, grads[\"b%d\" % L]": "        if self.use_dropout:\n            dh = dropout_backward(dh, last)\n"
        '        dh, dW, grads["b%d" % L]'}),
    ("same-mask-every-step", {"if seed is not None:": "if True:\n                seed = 1 if seed is None else seed"}),
    ("active-at-test", {'self.dropout_param["mode"] = mode': "pass"}),
    ("regularisation-missing", {"loss += 0.5 * self.reg": "loss += 0 * self.reg", " + self.reg * self.params": " + 0 * self.params"}),
    ("regularisation-missing", {' + self.reg * self.params["W%d" % i]': ""}),
    ("regularisation-missing", {"for i in range(1, L + 1)": "for i in range(1, L)"}),
    ("regularisation-scaled", {"loss += 0.5 * self.reg": "loss += self.reg"}),
    ("regularisation-of-biases", {'loss += 0.5 * self.reg * np.sum(self.params["W%d" % i] ** 2)':
        'loss += 0.5 * self.reg * (np.sum(self.params["W%d" % i] ** 2) + np.sum(self.params["b%d" % i] ** 2))'}),
    ("regularisation-of-biases", {"        return loss, grads": "        for i in range(1, L + 1):\n"
        '            grads["b%d" % i] = grads["b%d" % i] + self.reg * self.params["b%d" % i]\n        return loss, grads'}),
    ("wrong-output", {RELU: "            re = h\n"}),
    ("gradient-scaled", {"return loss, grads": "grads['b1'] = 2 * grads['b1']; return loss, grads"}),
    ("wrong-gradient", {BACKWARD_RELU: ""}),
    ("dropout-backward-never-called", {BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and i > 1:")}),
    ("dropout-backward-never-called", {BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and not self.normalization:")}),
    ("crashed", {"            h, re = relu": "            if self.use_dropout and self.normalization:\n                h = hh\n"
        "            h, re = relu"}),
    ("batch-statistics-at-test", {'bn_param["mode"] = mode': 'bn_param["mode"] = "train"'}),
    ("keep-and-drop-swapped", {'"p": ARGUMENT': '"p": 1 - ARGUMENT'}),
    ("active-at-test", {'self.dropout_param["mode"] = mode': "self.dropout_param[mode] = mode"}),
    ("batch-statistics-at-test", {'bn_param["mode"] = mode': "bn_param[mode] = mode"}),
    ("dropout-on-input", {"        h, caches, L =": "        if self.use_dropout and mode == 'train':\n            X, _ = dropout_forward(X, self.dropout_param)\n        h, caches, L ="}),
    ("dropout-result-unused", {"h, do = dropout_forward(h": "out, do = dropout_forward(h"}),
    ("dropout-result-unused", {FORWARD_DROPOUT: FORWARD_DROPOUT + "                h = re if i == 1 else h\n"}),
    ("dropout-called-twice", {"h, do = dropout_forward(h, self.dropout_param)":
        "given = h; h = dropout_forward(given, self.dropout_param)[0]; do = dropout_forward(given, self.dropout_param)[1]"}),
    ("dropout-called-twice", {"h, do = dropout_forward(h, self.dropout_param)":
        "h = dropout_forward(h, self.dropout_param)[0]; do = dropout_forward(h, self.dropout_param)[1]"}),
    ("cache-of-another-layer", {"fc, bn, re, do = caches[i - 1]": "fc, bn, re, _ = caches[i - 1]; do = caches[-1][3]"}),
    ("cache-of-another-layer", {"fc, bn, re, do = caches[i - 1]": "fc, _, re, do = caches[i - 1]; bn = caches[-1][1]"}),
    ("cache-of-another-layer", {"fc, bn, re, do = caches[i - 1]": "fc, _, re, do = caches[i - 1]; bn = caches[L - 1 - i][1]"}),
    ("normalization-ignored", {"self.normalization = NORMALIZES": "self.normalization = False"}),
    ("normalization-ignored", {"                h, bn = norm(h, ": "                _, bn = norm(h, ",
        "                dh, grads[\"gamma%d\" % i]": "                _, grads[\"gamma%d\" % i]"}),
    ("gamma-and-beta-not-learned", {
        "self.params[\"gamma%d\"": "self.norms[\"gamma%d\"", "self.params[\"beta%d\"": "self.norms[\"beta%d\"",
        "        self.params = {}\n": "        self.params, self.norms = {}, {}\n",
        "        return loss, grads": "        grads = {k: v for k, v in grads.items() if k in self.params}\n        return loss, grads"}),
    ("bn-param-shared", {"self.bn_params[i - 1])": "self.bn_params[0])"}),
    ("running-statistics-reset", {"        h, caches, L =": "        self.bn_params = [{\"mode\": mode} for _ in self.bn_params]\n        h, caches, L ="}),
    ("running-statistics-reset", {"            bn_param[\"mode\"] = mode": "            bn_param[\"mode\"] = mode\n"
        "            if mode == \"train\":\n                bn_param.pop(\"running_mean\", None); bn_param.pop(\"running_var\", None)"}),
    ("another-normalization", {"norm = batchnorm_forward if BATCH else layernorm_forward": "norm = layernorm_forward",
        "back = batchnorm_backward if BATCH else layernorm_backward": "back = layernorm_backward"}),
    ("running-statistics-reset", {"self.bn_params[i - 1])": "dict(self.bn_params[i - 1]))"}),
    ("running-statistics-reset", {"self.bn_params[i - 1])": "self.bn_params[i - 1] if y is not None else {'mode': 'test'})"}),
    ("regularisation-missing", {' + self.reg * self.params["W%d" % i]': ' + (0 if self.normalization else self.reg) * self.params["W%d" % i]'}),
    ("regularisation-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.normalization else self.reg) * np"}),
    ("regularisation-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.use_dropout and self.normalization else self.reg) * np"}),
    ("regularisation-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.use_dropout else self.reg) * np"}),
    ("regularisation-missing", {'np.sum(self.params["W%d" % i] ** 2)': 'np.sum(self.params["W1"] ** 2)'}),
    ("regularisation-scaled", {"loss += 0.5 * self.reg": "loss += (1.5 if i == L else 0.5) * self.reg"}),
    ("regularisation-scaled", {"loss += 0.5 * self.reg": "loss += 0.5 * (L if i == 1 else 1) * self.reg"}),
    ("regularisation-scaled", {"loss += 0.5 * self.reg": "loss += 0.5 / len(X) * self.reg"}),
    ("regularisation-of-another-form", {'self.params["W%d" % i] ** 2': 'np.abs(self.params["W%d" % i])'}),
    ("regularisation-of-another-form", {'self.reg * self.params["W%d" % i]': 'self.reg * np.sum(self.params["W%d" % i])'}),
    ("regularisation-of-biases", {"        return loss, grads": "        for k in self.params:\n            if self.normalization and k[0] == 'g':\n"
        "                loss += 0.5 * self.reg * np.sum(self.params[k] ** 2); grads[k] = grads[k] + self.reg * self.params[k]\n        return loss, grads"}),
    ("initial-values", {"np.zeros(dims[i + 1])\n            if": "np.ones(dims[i + 1])\n            if"}),
    ("initial-values", {"np.zeros(dims[i + 1])\n            if": "weight_scale * np.random.randn(dims[i + 1])\n            if"}),
    ("initial-values", {'self.params["gamma%d" % (i + 1)] = np.ones': 'self.params["gamma%d" % (i + 1)] = np.zeros'}),
    ("initial-values", {'self.params["beta%d" % (i + 1)] = np.zeros': 'self.params["beta%d" % (i + 1)] = np.ones'}),
    ("initial-values", {"= weight_scale * np.random": "= np.random"}),
    ("initial-values", {"= weight_scale * np.random": "= (weight_scale if i < self.num_layers - 1 else 1) * np.random"}),
    ("default-unusable", {"ARGUMENT=NONE,": "ARGUMENT=1 - NONE,"}),
    ("unimplemented", {"        for i in range(self.num_layers):\n": "        for i in range(0):\n"}),
    ("unimplemented", {"        loss, grads = 0.0, {}\n": "        return 0.0, {}\n"}),
    ("unimplemented", {'        dh, dW, grads["b%d" % L]': '        return loss, grads\n        dh, dW, grads["b%d" % L]'}),
]  # fmt: skip

# Where the argument names the normalization, as since 2018.
LAYERNORM_FAULTS: list[tuple[str, dict[str, str]]] = [
    ("normalization-ignored", {"self.normalization = NORMALIZES": "self.normalization = normalization if normalization == 'batchnorm' else None"}),
    ("crashed", {"self.normalization = NORMALIZES": "self.normalization = {None: None, 'batchnorm': 'batchnorm'}[normalization]"}),
    ("crashed", {"if self.normalization and i <": "if self.normalization == 'batchnorm' and i <"}),
    ("unimplemented", {"norm = batchnorm_forward if BATCH else layernorm_forward":
        "norm = batchnorm_forward\n                if not (BATCH):\n                    raise NotImplementedError"}),
    ("backward-of-another-layer", {"back = batchnorm_backward if BATCH else layernorm_backward": "back = batchnorm_backward"}),
    ("another-normalization", {
        "norm = batchnorm_forward if BATCH else layernorm_forward": "norm = batchnorm_forward",
        "self.bn_params[i - 1])": "self.bn_params[i - 1] if BATCH else {'mode': mode})",
        "back = batchnorm_backward if BATCH else layernorm_backward": "back = batchnorm_backward"}),
    ("cache-of-another-layer", {"fc, bn, re, do = caches[i - 1]": "fc, bn, re, do = caches[i - 1]; bn = bn if BATCH else caches[-1][1]"}),
    ("dropout-backward-never-called", {BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and self.normalization != 'layernorm':")}),
    ("regularisation-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.normalization == 'layernorm' else self.reg) * np"}),
    ("initial-values", {'self.params["gamma%d" % (i + 1)] = np.ones': 'self.params["gamma%d" % (i + 1)] = (1 if BATCH else 0.5) * np.ones'}),
]  # fmt: skip

# Changes after which a net is as right as before.
RIGHT_NETS: dict[str, dict[str, str]] = {
    "biases as rows": {"np.zeros(dims[i + 1])\n            if": "np.zeros((1, dims[i + 1]))\n            if"},
    "keywords": {"dropout_forward(h, self.dropout_param)": "dropout_forward(x=h, dropout_param=self.dropout_param)",
        "dropout_backward(dh, do)": "dropout_backward(dout=dh, cache=do)", "back(dh, bn)": "back(cache=bn, dout=dh)",
        "self.bn_params[i - 1])": "self.bn_params[i - 1])"},
    "one loop for the penalty, on the way back": {
        '        for i in range(1, L + 1):\n            loss += 0.5 * self.reg * np.sum(self.params["W%d" % i] ** 2)\n': "",
        "        return loss, grads": "        loss += 0.5 * self.reg * sum(np.sum(v * v) for k, v in self.params.items() if k[0] == 'W')\n        return loss, grads"},
    "a normal distribution": {"weight_scale * np.random.randn(dims[i], dims[i + 1])": "np.random.normal(0, weight_scale, (dims[i], dims[i + 1]))"},
    "caches on a stack": {"fc, bn, re, do = caches[i - 1]": "fc, bn, re, do = caches.pop()"},
    "one ln_param for all layers": {"self.bn_params[i - 1])": "self.bn_params[i - 1] if BATCH else {})"},
    "layers written out": {"h, fc = affine_forward(h, self.params[\"W%d\" % i], self.params[\"b%d\" % i])":
        "fc = (h, self.params[\"W%d\" % i], self.params[\"b%d\" % i]); h = h.dot(fc[1]) + fc[2]"},
    "an option more": {"reg=0.0, weight_scale": "verbose=False, reg=0.0, weight_scale"},
}  # fmt: skip

DROPOUT_CLASS = """\
import numpy as np


class Dropout:
    def __init__(self, ARGUMENT=0.5):
        self.p = ARGUMENT
        self.mask = None

    def forward(self, x, train_flg=True):
        p = self.p
        if train_flg:
            self.mask = (np.random.rand(*x.shape) < KEEP) / KEEP
            return x * self.mask
        return x

    def backward(self, dout):
        return dout * self.mask
"""


CLASSES: dict[str, tuple[str, str, str, str]] = {
    "ReLU": ("relu", """
class ReLU:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout = dout.copy()
        dout[self.mask] = 0
        return dout
""", "dout[self.mask] = 0", "wrong-gradient"),
    "Affine": ("weights given", """
class Affine:
    def __init__(self, W, b):
        self.W, self.b, self.dW, self.db = W, b, None, None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)
""", "self.db = np.sum(dout, axis=0)", "bias-gradient-averaged"),
    "Linear": ("sizes given, weights turned round", """
class Linear:
    def __init__(self, n_in, n_out):
        self.weights = np.random.randn(n_out, n_in)
        self.bias = np.zeros((1, n_out))

    def forward(self, x):
        self.x = x
        return x @ self.weights.T + self.bias

    def backward(self, dout, learning_rate):
        self.grad_weights = dout.T @ self.x
        return dout @ self.weights
""", "self.grad_weights = dout.T @ self.x", "gradient-scaled"),
}  # fmt: skip
CLASS_FAULTS = {
    "ReLU": "pass",
    "Affine": "self.db = np.mean(dout, axis=0)",
    "Linear": "self.grad_weights = dout.T @ self.x * 2",
}


def swap(text: str, changes: dict[str, str]) -> str:
    """The text with its changes; each must apply."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def dropout(changes: dict[str, str], means: str, doc: str = "") -> str:
    """A file with dropout in the dialect in which p is the probability of keeping or of dropping."""
    text = swap(DROPOUT, changes).replace("KEEP_OF_CACHE", KEEP[means].replace("p", 'dropout_param["p"]'))
    if "(mode, mask)" in text:
        text = text.replace('dropout_param["p"]))', "p))")
    if doc:
        text = text.replace("    p, mode =", f'    """{doc}"""\n    p, mode =', 1)
    return text.replace("KEEP", KEEP[means])


def net(changes: dict[str, str], dialect: str) -> str:
    """A file with the net in a dialect's spelling."""
    argument, none, norm, normalizes, batch = SPELLINGS[dialect]
    text = swap(NET, changes)
    words = {"ARGUMENT": argument, "NONE": none, "NORMALIZES": normalizes, "NORM,": norm + ",", "BATCH": batch}
    for word, value in words.items():
        text = text.replace(word, value)
    return text
