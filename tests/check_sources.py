"""Layers and optimizers for testing the checker: correct ones, and the changes that cause each fault."""

from __future__ import annotations

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
    ("shape-changed", "affine_backward", "db = np.sum(dout, axis=0)", "db = np.sum(dout, axis=0).reshape(-1, 1)"),
    ("shape-changed", "batchnorm_backward", "dbeta = dout.sum(axis=0)", "dbeta = dout.sum(axis=0)[:, np.newaxis]"),
    ("wrong-return", "affine_backward", "return dx, dw, db", "return dx, dw"),
    ("wrong-return", "affine_backward", "return dx, dw, db", "return dw, dx, db"),
    ("dtype-changed", "affine_forward", ".dot(w) + b", ".dot(w.astype(np.float16)) + b.astype(np.float16)"),
    ("dtype-changed", "relu_forward", "np.maximum(0, x)", "np.maximum(0, x.astype('float16'))"),
    ("dtype-changed", "relu_backward", "dx = dout * (x > 0)", "dx = np.half(dout) * (x > 0)"),
    ("dtype-changed", "batchnorm_forward", '    mode = bn_param["mode"]', '    x = x.astype(np.float16)\n    mode = bn_param["mode"]'),
    ("dtype-changed", "softmax_loss", "    shifted = x - x", "    x = x.astype(np.float16)\n    shifted = x - x"),
    ("unimplemented", "relu_backward", "dx = dout * (x > 0)", "dx = None, None"),
    ("unimplemented", "relu_backward", "dx = dout * (x > 0)", "dx = ..."),
    ("unimplemented", "affine_forward", "    return out, (x, w, b)", "    raise Exception('TODO: implement')"),
    ("unimplemented", "svm_loss", "    N = x.shape[0]\n    margins", "    assert False, 'not yet implemented'\n    margins"),
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
    ("running-statistics-wrong", "batchnorm_forward", 'bn_param.get("momentum", 0.9)', 'bn_param.get("momentum", 0.1)'),
    ("running-statistics-wrong", "batchnorm_forward", 'bn_param.get("momentum", 0.9)', 'bn_param.get("momentum", 1.8)'),
    ("running-statistics-wrong", "batchnorm_forward", '"running_mean", np.zeros(D', '"running_mean", 7 + np.zeros(D'),
    ("running-statistics-wrong", "batchnorm_forward", '"running_var", np.zeros(D', '"running_var", 9 + np.zeros(D'),
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
    ("wrong-output", "batchnorm_forward", 'bn_param.get("eps", 1e-5)', "1e-3"),
    ("unstable", "softmax_loss", "x - x.max(axis=1, keepdims=True)", "x"),
    ("wrong-output", "softmax_loss", "y].sum() / N", "y].sum()"),
    ("wrong-axis", "softmax_loss", "np.exp(shifted).sum(axis=1, keepdims=True)", "np.exp(shifted).sum(axis=0)"),
    ("wrong-axis", "softmax_loss", "np.log(np.exp(shifted).sum(axis=1, keepdims=True))",
     "np.log(np.exp(shifted).sum())"),
    ("wrong-axis", "softmax_loss", "np.log(np.exp(shifted).sum(axis=1, keepdims=True))",
     "(x.max(axis=0) + np.log(np.exp(x - x.max(axis=0)).sum(axis=0)) - x.max(axis=1, keepdims=True))"),
    ("gradient-scaled", "softmax_loss", "    dx /= N\n", ""),
    ("wrong-gradient", "softmax_loss", "    dx[np.arange(N), y] -= 1\n", ""),
    ("input-mutated", "softmax_loss", "    shifted = x - x", "    x -= 1\n    shifted = x - x"),
    ("wrong-output", "svm_loss", "    margins[np.arange(N), y] = 0\n    dsvm = (margins > 0) * 1.0\n",
     "    dsvm = (margins > 0) * 1.0\n    dsvm[np.arange(N), y] = 0\n"),
    ("gradient-scaled", "svm_loss", "dsvm / N", "dsvm"),
    ("wrong-gradient", "svm_loss", "    dsvm[np.arange(N), y] -= dsvm.sum(axis=1)\n", ""),
    ("unimplemented", "svm_loss", "return margins.sum() / N, dsvm / N", "return None, None"),
    ("unimplemented", "svm_loss", "return margins.sum() / N, dsvm / N", "return margins.sum() / N, None"),
    ("shape-changed", "softmax_loss", "y].sum() / N", "y] / N"),
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
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    next_w = w + v
    config["velocity"] = v
    return next_w, config


def sgd_nesterov_momentum(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    nv = config.get("velocity", np.zeros_like(w))
    new = config["momentum"] * nv - config["learning_rate"] * dw
    config["velocity"] = new
    return w + new + config["momentum"] * (new - nv), config


def rmsprop(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", np.zeros_like(w))
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw ** 2
    return w - config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"]), config


def adam(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-3)
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.999)
    config.setdefault("epsilon", 1e-8)
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
}

MOMENTS = """\
    config["m"] = b1 * config["m"] + (1 - b1) * dw
    config["v"] = b2 * config["v"] + (1 - b2) * dw ** 2
"""
CORRECTION = """\
    mt = config["m"] / (1 - b1 ** t)
    vt = config["v"] / (1 - b2 ** t)
"""
LOCAL_MOMENTS = MOMENTS.replace('config["m"] =', "m =").replace('config["v"] =', "v =")
LOCAL_CORRECTION = CORRECTION.replace('config["m"]', "m").replace('config["v"]', "v")
DECAY = 'config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw ** 2'
RETURNED = 'config["learning_rate"] * mt / (np.sqrt(vt) + config["epsilon"])'
# Update rules that are wrong in a way without its own verdict: the function, the change, and the update line that the
# report shows.
OTHER_RULES: list[tuple[str, str, str, str]] = [
    ("adam", RETURNED, 'config["learning_rate"] * vt / (np.sqrt(mt) + config["epsilon"])', "vt / (sqrt(mt) + epsilon)"),
    ("adam", CORRECTION, CORRECTION + '    config["m"], config["v"] = config["v"], config["m"]\n', "m, v = v, m"),
    ("adam", "(1 - b2) * dw ** 2", "(1 - b2) * dw", "v = beta2 * v + (1 - beta2) * dw"),
    ("adam", "np.sqrt(vt)", "vt", "w = w - learning_rate * mt / (vt + epsilon)"),
    ("adam", 'b1, b2 = config["beta1"], config["beta2"]', 'b1, b2 = config["beta2"], config["beta1"]', "beta1, beta2 = beta2, beta1"),
    ("adam", '    return w - config["learning_rate"] * mt', "    return w - mt", "learning_rate = 1"),
    ("sgd_momentum", "next_w = w + v", 'next_w = w + config["learning_rate"] * v', "w = w + learning_rate * v"),
    ("sgd_momentum", 'config["momentum"] * v - config', "v - config", "v = v - learning_rate * dw"),
    ("sgd_momentum", 'v - config["learning_rate"] * dw\n    next_w', "v - dw\n    next_w", "learning_rate = 1"),
    ("rmsprop", DECAY, 'config["cache"] + dw ** 2', "AdaGrad"),
    ("rmsprop", DECAY, DECAY.replace("dw ** 2", "dw"), "cache = decay_rate * cache + (1 - decay_rate) * dw`"),
    ("rmsprop", 'return w - config["learning_rate"] * dw', "return w - dw", "learning_rate = 1"),
]  # fmt: skip

OPTIM_FAULTS: list[tuple[str, str, str, str]] = [
    ("update-uphill", "sgd", 'w -= config["learning_rate"]', 'w += config["learning_rate"]'),
    ("wrong-update", "sgd", 'w -= config["learning_rate"]', 'w -= 2 * config["learning_rate"]'),
    ("state-not-kept", "sgd_momentum", '    config["velocity"] = v\n', ""),
    ("shape-changed", "sgd_momentum", "return next_w, config", "return next_w.ravel(), config"),
    ("wrong-return", "sgd_momentum", "return next_w, config", "return next_w, v"),
    ("step-not-counted", "adam", COUNT, '    t = config["t"]\n    b1 = b1 ** 2\n'),
    ("decay-swapped", "sgd_momentum", 'config["momentum"] * v - config', '(1 - config["momentum"]) * v - config'),
    ("wrong-update", "sgd_nesterov_momentum", 'w + new + config["momentum"] * (new - nv)', "w + new"),
    ("wrong-update", "rmsprop", '(np.sqrt(config["cache"]) + config["epsilon"])', '(config["cache"] + 1e-8)'),
    ("bias-correction-missing", "adam", '    mt = config["m"] / (1 - b1 ** t)\n    vt = config["v"] / (1 - b2 ** t)\n',
     '    mt, vt = config["m"], config["v"]\n'),
    ("bias-correction-missing", "adam", ' / (1 - b2 ** t)', ""),
    ("step-not-counted", "adam", 'config["t"] += 1', 'config["t"] = 1'),
    ("step-not-counted", "adam", 'config["t"] += 1', "pass"),
    ("state-not-zero", "sgd_momentum", "v = config.get(\"velocity\", np.zeros_like(w))\n    v =",
     "v = config.get(\"velocity\", np.ones_like(w))\n    v ="),
    ("state-not-zero", "sgd_momentum", "v = config.get(\"velocity\", np.zeros_like(w))\n    v =",
     "v = config.get(\"velocity\", dw)\n    v ="),
    ("state-not-zero", "sgd_nesterov_momentum", "nv = config.get(\"velocity\", np.zeros", "nv = config.get(\"velocity\", np.ones"),
    ("state-not-zero", "rmsprop", "np.zeros_like(w))\n    config[\"cache\"]", "np.ones_like(w))\n    config[\"cache\"]"),
    ("state-not-zero", "adam", 'config.setdefault("m", np.zeros', 'config.setdefault("m", np.ones'),
    ("state-not-zero", "adam", 'config.setdefault("v", np.zeros', 'config.setdefault("v", np.ones'),
    ("state-not-zero", "adam", 'config.setdefault("m", np.zeros_like(w))\n    config.setdefault("v", np.zeros_like(w))',
     'config.setdefault("m", dw)\n    config.setdefault("v", dw ** 2)'),
    ("default-missing", "adam", '    config.setdefault("beta2", 0.999)\n', ""),
    ("default-missing", "rmsprop", '    config.setdefault("decay_rate", 0.99)\n', ""),
    ("step-not-counted", "adam", COUNT, '    t = config["t"] + 1\n'),
    ("step-counted-late", "adam", COUNT, '    t = config["t"]\n    config["t"] += 1\n'),
    ("step-counted-twice", "adam", 'config["t"] += 1', 'config["t"] += 2'),
    ("step-counted-twice", "adam", "vt = config", 'config["t"] += 1; vt = config'),
    ("power-forgotten", "adam", '    t = config["t"]\n', "    t = 1\n"),
    ("power-forgotten", "adam", "(1 - b2 ** t)", "(1 - b2)"),
    ("bias-correction-wrong", "adam", "(1 - b1 ** t)", "(1 - b1 * t)"),
    ("bias-correction-wrong", "adam", "(1 - b2 ** t)", "(1 - b2 * t)"),
    ("bias-correction-wrong", "adam", CORRECTION, CORRECTION.replace("**", "*")),
    ("bias-correction-wrong", "adam", CORRECTION, CORRECTION.replace("/", "*")),
    ("state-not-kept", "adam", MOMENTS + CORRECTION, LOCAL_MOMENTS + LOCAL_CORRECTION),
    ("state-not-kept", "adam", MOMENTS + CORRECTION, LOCAL_MOMENTS + LOCAL_CORRECTION + '    config["v"] = v\n'),
    ("state-not-kept", "adam", MOMENTS + CORRECTION, LOCAL_MOMENTS + LOCAL_CORRECTION + '    config["m"] = m\n'),
    ("corrected-moments-stored", "adam", CORRECTION, CORRECTION + '    config["m"], config["v"] = mt, vt\n'),
    ("corrected-moments-stored", "adam", CORRECTION, CORRECTION + '    config["m"] = mt\n'),
    ("corrected-moments-stored", "adam", CORRECTION, CORRECTION + '    config["v"] = vt\n'),
    ("decay-swapped", "adam", 'b1 * config["m"] + (1 - b1) * dw', '(1 - b1) * config["m"] + b1 * dw'),
    ("decay-swapped", "adam", 'b2 * config["v"] + (1 - b2) * dw', '(1 - b2) * config["v"] + b2 * dw'),
    ("decay-swapped", "rmsprop", DECAY, '(1 - config["decay_rate"]) * config["cache"] + config["decay_rate"] * dw ** 2'),
    ("state-not-kept", "rmsprop", f'    config["cache"] = {DECAY}\n    return w - config["learning_rate"] * dw / (np.sqrt(config["cache"])',
     f'    cache = {DECAY}\n    return w - config["learning_rate"] * dw / (np.sqrt(cache)'),
    ("epsilon-missing", "adam", '(np.sqrt(vt) + config["epsilon"])', "np.sqrt(vt)"),
    ("epsilon-missing", "adam", '(np.sqrt(vt) + config["epsilon"])', 'np.sqrt(vt) + config["epsilon"]'),
    ("epsilon-missing", "rmsprop", '(np.sqrt(config["cache"]) + config["epsilon"])', 'np.sqrt(config["cache"])'),
    ("unimplemented", "rmsprop", 'def rmsprop(w, dw, config=None):\n', "def rmsprop(x, dx, config=None):\n    return None, None\n"),
    ("wrong-update", "adam", "(1 - b2 ** t)", "(0.5 - b2 ** t)"),
]  # fmt: skip

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
        self.grad_bias = dout.sum(axis=0)
        return dout @ self.weights
""", "self.grad_weights = dout.T @ self.x", "gradient-scaled"),
}  # fmt: skip
CLASS_FAULTS = {
    "ReLU": "pass",
    "Affine": "self.db = np.mean(dout, axis=0)",
    "Linear": "self.grad_weights = dout.T @ self.x * 2",
}


def swap(text: str, changes: dict[str, str]) -> str:
    """The text with the changes applied; each must match."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
