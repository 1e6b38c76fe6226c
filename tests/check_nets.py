"""Fully connected nets for testing the checker: correct ones, and the changes that cause each fault."""

from __future__ import annotations

import re

from check_sources import swap

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

OF_DIALECT = re.compile("ARGUMENT|NONE|NORMALIZES|NORM,|BATCH")  # placeholders that depend on the dialect

FORWARD_DROPOUT = """            if self.use_dropout:
                h, do = dropout_forward(h, self.dropout_param)
"""
RELU = "            h, re = relu_forward(h)\n"
BACKWARD_DROPOUT = """            if self.use_dropout:
                dh = dropout_backward(dh, do)
"""
BACKWARD_RELU = "            dh = relu_backward(dh, re)\n"

NORM = """            if self.normalization:
                norm = batchnorm_forward if BATCH else layernorm_forward
                h, bn = norm(h, self.params["gamma%d" % i], self.params["beta%d" % i], self.bn_params[i - 1])
"""
NORM_BACK = """            if self.normalization:
                back = batchnorm_backward if BATCH else layernorm_backward
                dh, grads["gamma%d" % i], grads["beta%d" % i] = back(dh, bn)
"""
# Biases as columns, transposed where they are used.
COLUMNS = {
    "np.zeros(dims[i + 1])\n            if": "np.zeros((dims[i + 1], 1))\n            if",
    'self.params["b%d" % i])\n            bn': 'self.params["b%d" % i].T)\n            bn',
    'self.params["b%d" % L])\n        if': 'self.params["b%d" % L].T)\n        if',
}

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
    ("regularization-missing", {"loss += 0.5 * self.reg": "loss += 0 * self.reg", " + self.reg * self.params": " + 0 * self.params"}),
    ("regularization-missing", {' + self.reg * self.params["W%d" % i]': ""}),
    ("regularization-missing", {"for i in range(1, L + 1)": "for i in range(1, L)"}),
    ("regularization-scaled", {"loss += 0.5 * self.reg": "loss += self.reg"}),
    ("regularization-of-biases", {'loss += 0.5 * self.reg * np.sum(self.params["W%d" % i] ** 2)':
        'loss += 0.5 * self.reg * (np.sum(self.params["W%d" % i] ** 2) + np.sum(self.params["b%d" % i] ** 2))'}),
    ("regularization-of-biases", {"        return loss, grads": "        for i in range(1, L + 1):\n"
        '            grads["b%d" % i] = grads["b%d" % i] + self.reg * self.params["b%d" % i]\n        return loss, grads'}),
    ("wrong-output", {RELU: "            re = h\n"}),
    ("gradient-scaled", {"return loss, grads": "grads['b1'] = 2 * grads['b1']; return loss, grads"}),
    ("wrong-gradient", {BACKWARD_RELU: ""}),
    ("dropout-backward-never-called", {BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and i > 1:")}),
    ("dropout-backward-never-called", {BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and not self.normalization:")}),
    ("dropout-never-called", {FORWARD_DROPOUT: FORWARD_DROPOUT.replace("dropout:", "dropout and not self.normalization:"),
        BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and not self.normalization:")}),
    ("running-statistics-in-training", {'            bn_param["mode"] = mode\n': '            bn_param["mode"] = "test"\n'}),
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
    ("running-statistics-reset", {"            bn_param[\"mode\"] = mode": "            bn_param[\"mode\"] = mode; bn_param.pop(\"running_var\", None)"}),
    ("running-statistics-reset", {"            bn_param[\"mode\"] = mode": "            bn_param[\"mode\"] = mode\n"
        "            if y is None and 'running_var' in bn_param:\n                bn_param['running_var'] = 0 * bn_param['running_var']"}),
    ("running-statistics-reset", {"            bn_param[\"mode\"] = mode": "            bn_param[\"mode\"] = mode; bn_param.pop(\"running_mean\", None)"}),
    ("normalization-ignored", {"            if self.normalization:\n": "            if self.normalization and not self.use_dropout:\n"}),
    ("normalization-ignored", {"self.normalization = NORMALIZES": "self.normalization = NORMALIZES if ARGUMENT == NONE else None"}),
    ("normalization-ignored", {"            if self.normalization:\n": "            if self.normalization and not self.use_dropout:\n",
        "            dh, dW, grads[\"b%d\" % i] = affine_backward(dh, fc)\n": "            dh, dW, grads[\"b%d\" % i] = affine_backward(dh, fc)\n"
        "            for k in ('gamma%d' % i, 'beta%d' % i):\n                if self.use_dropout and k in self.params:\n                    grads[k] = 0 * self.params[k]\n"}),
    ("wrong-output", {NORM: "", RELU: RELU + NORM, NORM_BACK: "", BACKWARD_RELU: NORM_BACK + BACKWARD_RELU}),
    ("wrong-output", {NORM: "", FORWARD_DROPOUT: FORWARD_DROPOUT + NORM, NORM_BACK: "", BACKWARD_DROPOUT: NORM_BACK + BACKWARD_DROPOUT}),
    ("dropout-in-some-layers", {FORWARD_DROPOUT: FORWARD_DROPOUT.replace("dropout:", "dropout and i == L - 1:"),
        BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and i == L - 1:")}),
    ("dropout-in-some-layers", {FORWARD_DROPOUT: FORWARD_DROPOUT.replace("dropout:", "dropout and i == 1:"),
        BACKWARD_DROPOUT: BACKWARD_DROPOUT.replace("dropout:", "dropout and i == 1:")}),
    ("wrong-rate", {'"p": ARGUMENT': '"p": 0.5'}),
    ("wrong-rate", {'"p": ARGUMENT': '"p": 100 * ARGUMENT'}),
    ("gradient-scaled", {"h, do = dropout_forward(h, self.dropout_param)":
        "h, do = dropout_forward(h, self.dropout_param); h = h * (2 if y is not None else 1)"}),
    ("batch-statistics-at-test", {'            bn_param["mode"] = mode\n': '            bn_param["mode"] = "train" if self.use_dropout else mode\n'}),
    ("input-mutated", {"return loss, grads": "self.params['W1'] -= 0.01 * grads['W1']; return loss, grads"}),
    ("wrong-output", {"return loss, grads": "return loss / len(X), {k: v / len(X) for k, v in grads.items()}"}),
    ("wrong-output", {"X = X.astype(self.dtype)": "X = X - X.mean(axis=0)"}),
    ("dtype-changed", {"X = X.astype(self.dtype)": "X = X.astype(np.float16)"}),
    ("dtype-changed", {RELU: RELU + "            h = h.astype(np.float16)\n"}),
    ("shape-changed", {"return loss, grads": "grads['b1'] = grads['b1'].reshape(-1, 1); return loss, grads"}),
    ("wrong-return", {"np.zeros(dims[i + 1])\n            if": "np.zeros((dims[i + 1], 1))\n            if"}),
    ("weights-transposed", {"np.random.randn(dims[i], dims[i + 1])": "np.random.randn(dims[i + 1], dims[i])"}),
    ("weights-transposed", {"np.random.randn(dims[i], dims[i + 1])": "np.random.randn(dims[i + 1], dims[i])",
        'affine_forward(h, self.params["W%d" % i]': 'affine_forward(h, self.params["W%d" % i].T',
        'affine_forward(h, self.params["W%d" % L]': 'affine_forward(h, self.params["W%d" % L].T',
        "        return loss, grads": "        grads = {k: v.T for k, v in grads.items()}\n        return loss, grads"}),
    ("wrong-gradient", {"return loss, grads": "grads['b2'][5] *= 1.5; return loss, grads"}),
    ("normalization-ignored", {NORM: ""}),
    ("normalization-ignored", {NORM: "", "bn, re, do = caches[i - 1]": "bn, re, do = caches[i - 1]; bn = {}[i] if self.normalization else bn"}),
    ("dropout-never-called", {FORWARD_DROPOUT: ""}),
    ("dtype-changed", {"self.params[k] = v.astype(dtype)": "self.params[k] = v.astype(np.float16)"}),
    ("dtype-changed", {"np.zeros(dims[i + 1])\n            if": "np.zeros(dims[i + 1], int)\n            if",
        "self.params[k] = v.astype(dtype)": "pass"}),
    ("shape-changed", {**COLUMNS, "affine_backward(dh, fc)": "affine_backward(dh, fc)"}),
    ("regularization-missing", {' + self.reg * self.params["W%d" % i]': ' + (0 if self.normalization else self.reg) * self.params["W%d" % i]'}),
    ("regularization-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.normalization else self.reg) * np"}),
    ("regularization-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.use_dropout and self.normalization else self.reg) * np"}),
    ("regularization-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.use_dropout else self.reg) * np"}),
    ("regularization-missing", {'np.sum(self.params["W%d" % i] ** 2)': 'np.sum(self.params["W1"] ** 2)'}),
    ("regularization-scaled", {"loss += 0.5 * self.reg": "loss += (1.5 if i == L else 0.5) * self.reg"}),
    ("regularization-scaled", {"loss += 0.5 * self.reg": "loss += 0.5 * (L if i == 1 else 1) * self.reg"}),
    ("regularization-scaled", {"loss += 0.5 * self.reg": "loss += 0.5 / len(X) * self.reg"}),
    ("regularization-of-another-form", {'self.params["W%d" % i] ** 2': 'np.abs(self.params["W%d" % i])'}),
    ("regularization-of-another-form", {'self.reg * self.params["W%d" % i]': 'self.reg * np.sum(self.params["W%d" % i])'}),
    ("regularization-of-biases", {"        return loss, grads": "        for k in self.params:\n            if self.normalization and k[0] == 'g':\n"
        "                loss += 0.5 * self.reg * np.sum(self.params[k] ** 2); grads[k] = grads[k] + self.reg * self.params[k]\n        return loss, grads"}),
    ("initial-values", {"np.zeros(dims[i + 1])\n            if": "np.ones(dims[i + 1])\n            if"}),
    ("initial-values", {"np.zeros(dims[i + 1])\n            if": "weight_scale * np.random.randn(dims[i + 1])\n            if"}),
    ("initial-values", {'self.params["gamma%d" % (i + 1)] = np.ones': 'self.params["gamma%d" % (i + 1)] = np.zeros'}),
    ("initial-values", {'self.params["beta%d" % (i + 1)] = np.zeros': 'self.params["beta%d" % (i + 1)] = np.ones'}),
    ("initial-values", {"= weight_scale * np.random": "= np.random"}),
    ("initial-values", {"= weight_scale * np.random": "= 1 + weight_scale * np.random"}),
    ("initial-values", {"= weight_scale * np.random": "= (weight_scale if i < self.num_layers - 1 else 1) * np.random"}),
    ("default-unusable", {"ARGUMENT=NONE,": "ARGUMENT=1 - NONE,"}),
    ("unimplemented", {"        for i in range(self.num_layers):\n": "        for i in range(0):\n"}),
    ("unimplemented", {"        loss, grads = 0.0, {}\n": "        return 0.0, {}\n"}),
    ("unimplemented", {'        dh, dW, grads["b%d" % L]': '        return loss, grads\n        dh, dW, grads["b%d" % L]'}),
]  # fmt: skip

# For nets whose argument names the normalization, as in courses since 2018.
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
    ("regularization-missing", {"loss += 0.5 * self.reg * np": "loss += 0.5 * (0 if self.normalization == 'layernorm' else self.reg) * np"}),
    ("initial-values", {'self.params["gamma%d" % (i + 1)] = np.ones': 'self.params["gamma%d" % (i + 1)] = (1 if BATCH else 0.5) * np.ones'}),
]  # fmt: skip

# Changes after which a net is still correct.
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
    "biases as columns": {**COLUMNS, "return loss, grads": "grads = {k: v.reshape(self.params[k].shape) for k, v in grads.items()}; return loss, grads"},
    "arguments by their names alone": {
        "input_dim=3 * 32 * 32, num_classes=10, ARGUMENT=NONE, NORM,\n                 reg=0.0, weight_scale=1e-2, dtype=np.float32, seed=None):\n": "**kw):\n"
        "        input_dim, num_classes, seed = kw.pop('input_dim', 3072), kw.pop('num_classes', 10), kw.get('seed')\n"
        "        ARGUMENT, reg, weight_scale = kw.pop('ARGUMENT', NONE), kw.pop('reg', 0.0), kw.pop('weight_scale', 1e-2)\n"
        "        normalization, dtype = kw.pop('normalization', None), kw.pop('dtype', np.float32)\n"},
    "arguments taken over as attributes": {
        "input_dim=3 * 32 * 32, num_classes=10, ARGUMENT=NONE, NORM,\n                 reg=0.0, weight_scale=1e-2, dtype=np.float32, seed=None):\n": "**kw):\n"
        "        self.__dict__.update(dict(input_dim=3072, num_classes=10, dropout=1, weight_scale=1e-2, dtype=float, reg=0), **kw)\n"
        "        input_dim, num_classes, weight_scale = self.input_dim, self.num_classes, self.weight_scale\n"
        "        normalization, dtype, seed, reg, ARGUMENT = kw.get('normalization'), self.dtype, kw.get('seed'), self.reg, self.dropout\n"},
    "an option more": {"reg=0.0, weight_scale": "verbose=False, reg=0.0, weight_scale"},
}  # fmt: skip


def net(changes: dict[str, str], dialect: str) -> str:
    """The source of a file with the net, in a dialect's spelling."""
    argument, none, norm, normalizes, batch = SPELLINGS[dialect]
    text = swap(NET, changes)
    words = {"ARGUMENT": argument, "NONE": none, "NORMALIZES": normalizes, "NORM,": norm + ",", "BATCH": batch}
    for word, value in words.items():
        text = text.replace(word, value)
    return text
