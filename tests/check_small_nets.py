"""The courses' small nets for testing the checker: correct ones, and the changes that cause each fault."""

from __future__ import annotations

from check_images import IMAGES

LAYERS = (
    IMAGES
    + """

def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def softmax_loss(x, y):
    shifted = x - x.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    N = len(x)
    dx = np.exp(logp)
    dx[np.arange(N), y] -= 1
    return -logp[np.arange(N), y].mean(), dx / N


conv_forward_fast, conv_backward_fast = conv_forward_naive, conv_backward_naive
max_pool_forward_fast, max_pool_backward_fast = max_pool_forward_naive, max_pool_backward_naive
"""
)

CONV_NET = (
    LAYERS
    + """

class ThreeLayerConvNet(object):
    def __init__(self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
                 weight_scale=1e-3, reg=0.0, dtype=np.float32):
        self.params, self.reg, self.dtype = {}, reg, dtype
        C, H, W = input_dim
        self.params["W1"] = weight_scale * np.random.randn(num_filters, C, filter_size, filter_size)
        self.params["b1"] = np.zeros(num_filters)
        self.params["W2"] = weight_scale * np.random.randn(num_filters * (H // 2) * (W // 2), hidden_dim)
        self.params["b2"] = np.zeros(hidden_dim)
        self.params["W3"] = np.random.normal(0, weight_scale, (hidden_dim, num_classes))
        self.params["b3"] = np.zeros(num_classes)
        for k, v in self.params.items():
            self.params[k] = v.astype(dtype)

    def loss(self, X, y=None):
        W1, b1 = self.params["W1"], self.params["b1"]
        W2, b2 = self.params["W2"], self.params["b2"]
        W3, b3 = self.params["W3"], self.params["b3"]
        conv_param = {"stride": 1, "pad": (W1.shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        a, conv_cache = conv_forward_fast(X, W1, b1, conv_param)
        r, relu_cache = relu_forward(a)
        h, pool_cache = max_pool_forward_fast(r, pool_param)
        a2, cache2 = affine_forward(h, W2, b2)
        h2, relu2 = relu_forward(a2)
        scores, cache3 = affine_forward(h2, W3, b3)
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * (np.sum(W1 ** 2) + np.sum(W2 ** 2) + np.sum(W3 ** 2))
        grads = {}
        dh2, dW3, grads["b3"] = affine_backward(dscores, cache3)
        dh, dW2, grads["b2"] = affine_backward(relu_backward(dh2, relu2), cache2)
        dr = max_pool_backward_fast(dh, pool_cache)
        _, dW1, grads["b1"] = conv_backward_fast(relu_backward(dr, relu_cache), conv_cache)
        grads["W1"], grads["W2"], grads["W3"] = dW1 + self.reg * W1, dW2 + self.reg * W2, dW3 + self.reg * W3
        return loss, grads
"""
)

CONV_FAULTS: list[tuple[str, dict[str, str]]] = [
    ("regularization-missing", {" + np.sum(W3 ** 2)": ""}),
    ("regularization-missing", {"dW1 + self.reg * W1": "dW1"}),
    ("regularization-scaled", {"0.5 * self.reg": "self.reg"}),
    ("regularization-of-biases", {"np.sum(W1 ** 2) +": "np.sum(W1 ** 2) + np.sum(b1 ** 2) +"}),
    ("initial-values", {"(0, weight_scale, (": "(0, 1, ("}),
    ("initial-values", {"(0, weight_scale, (": "(weight_scale, weight_scale, ("}),
    ("initial-values", {'self.params["b2"] = np.zeros(hidden_dim)': 'self.params["b2"] = np.ones(hidden_dim)'}),
    ("wrong-return", {"(num_filters, C, filter_size": "(C, num_filters, filter_size", "max_pool_forward_fast(r, ": "max_pool_forward_fast(r, "}),
    ("wrong-output", {"h, pool_cache = max_pool_forward_fast(r, pool_param)": "h, pool_cache = max_pool_forward_fast(a, pool_param); h = h + 1"}),
    ("wrong-output", {"scores, cache3 = affine_forward(h2": "scores, cache3 = affine_forward(a2"}),
    ("wrong-output", {'"pad": (W1.shape[2] - 1) // 2}': '"pad": (W1.shape[2] - 1) // 2}; X = X[:, :, ::-1]'}),
    ("wrong-gradient", {"relu_backward(dr, relu_cache), conv_cache": "dr, conv_cache"}),
    ("wrong-gradient", {'        grads["W1"], grads["W2"], grads["W3"] =': '        grads["W2"], grads["W3"], dW1 =',
        "dW1 + self.reg * W1, dW2 + self.reg * W2, dW3 + self.reg * W3": "dW2 + self.reg * W2, dW3 + self.reg * W3, dW1"}),
    ("unimplemented", {"        C, H, W = input_dim\n": "        return\n"}),
    ("unimplemented", {'        conv_param = {"stride"': '        return None\n        conv_param = {"stride"'}),
    ("crashed", {"relu_backward(dh2, relu2)": "relu_backward(dh2)"}),
]  # fmt: skip

TWO_LAYERS = (
    LAYERS
    + """

class TwoLayerNet(object):
    def __init__(self, input_dim=3 * 32 * 32, HIDDEN=100, num_classes=10, EXTRAweight_scale=1e-3, reg=0.0):
        self.params, self.reg = {}, reg
        self.params["W1"] = weight_scale * np.random.randn(input_dim, HIDDEN)
        self.params["b1"] = np.zeros(HIDDEN)
        self.params["W2"] = weight_scale * np.random.randn(HIDDEN, num_classes)
        self.params["b2"] = np.zeros(num_classes)

    def loss(self, X, y=None):
        a, cache1 = affine_forward(X, self.params["W1"], self.params["b1"])
        h, relu_cache = relu_forward(a)
        scores, cache2 = affine_forward(h, self.params["W2"], self.params["b2"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * (np.sum(self.params["W1"] ** 2) + np.sum(self.params["W2"] ** 2))
        grads = {}
        dh, grads["W2"], grads["b2"] = affine_backward(dscores, cache2)
        _, grads["W1"], grads["b1"] = affine_backward(relu_backward(dh, relu_cache), cache1)
        for k in ("W1", "W2"):
            grads[k] += self.reg * self.params[k]
        return loss, grads
"""
)

TWO_FAULTS: list[tuple[str, dict[str, str]]] = [
    ("regularization-missing", {"            grads[k] += self.reg * self.params[k]": "            pass"}),
    ("regularization-scaled", {"grads[k] += self.reg": "grads[k] += 2 * self.reg"}),
    ("regularization-of-biases", {'for k in ("W1", "W2")': "for k in self.params"}),
    ("initial-values", {"weight_scale * np.random.randn(HIDDEN": "np.random.randn(HIDDEN"}),
    ("wrong-output", {'affine_forward(h, self.params["W2"]': 'affine_forward(a, self.params["W2"]'}),
    ("wrong-gradient", {"relu_backward(dh, relu_cache), cache1": "dh, cache1"}),
    ("gradient-sign", {"affine_backward(dscores, cache2)": 'affine_backward(dscores, cache2); grads["b2"] *= -1'}),
    ("wrong-return", {"        return loss, grads": "        return loss"}),
    ("unimplemented", {'        a, cache1 = affine_forward(X': '        return None\n        a, cache1 = affine_forward(X'}),
]  # fmt: skip

FIRST_NET = """\
import numpy as np


class TwoLayerNet(object):
    def __init__(self, input_size, hidden_size, output_size, std=1e-4):
        self.params = {}
        self.params["W1"] = std * np.random.randn(input_size, hidden_size)
        self.params["b1"] = np.zeros(hidden_size)
        self.params["W2"] = std * np.random.randn(hidden_size, output_size)
        self.params["b2"] = np.zeros(output_size)

    def loss(self, X, y=None, reg=0.0):
        W1, b1, W2, b2 = self.params["W1"], self.params["b1"], self.params["W2"], self.params["b2"]
        N = len(X)
        h = np.maximum(0, X.dot(W1) + b1)
        scores = h.dot(W2) + b2
        if y is None:
            return scores
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[range(N), y]).mean() + HALF * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        d = p.copy()
        d[range(N), y] -= 1
        d /= N
        dh = d.dot(W2.T) * (h > 0)
        grads = {"W2": h.T.dot(d) + 2 * HALF * reg * W2, "b2": d.sum(axis=0)}
        grads["W1"], grads["b1"] = X.T.dot(dh) + 2 * HALF * reg * W1, dh.sum(axis=0)
        return loss, grads

    def train(self, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95, reg=5e-6, num_iters=100,
              batch_size=200, verbose=False):
        for it in range(num_iters):
            rows = np.random.choice(len(X), batch_size)
            loss, grads = self.loss(X[rows], y=y[rows], reg=reg)
            for key in self.params:
                self.params[key] -= learning_rate * grads[key]
        return {"loss_history": []}

    def predict(self, X):
        return self.loss(X).argmax(axis=1)
"""

TURNED = {
    "np.random.randn(input_size, hidden_size)": "np.random.randn(hidden_size, input_size)",
    "np.random.randn(hidden_size, output_size)": "np.random.randn(output_size, hidden_size)",
    "X.dot(W1)": "X.dot(W1.T)", "h.dot(W2)": "h.dot(W2.T)", "d.dot(W2.T)": "d.dot(W2)",
    "h.T.dot(d)": "d.T.dot(h)", "X.T.dot(dh)": "dh.T.dot(X)",
}  # fmt: skip

FIRST_FAULTS: list[tuple[str, dict[str, str]]] = [
    ("regularization-missing", {" + np.sum(W2 * W2)": ""}),
    ("regularization-scaled", {"2 * HALF * reg * W2": "HALF * reg * W2"}),
    ("initial-values", {"std * np.random.randn(input_size": "np.random.rand(input_size"}),
    ("wrong-output", {"h = np.maximum(0, X.dot(W1) + b1)": "h = X.dot(W1) + b1"}),
    ("wrong-gradient", {" * (h > 0)": ""}),
    ("gradient-scaled", {"        d /= N\n": ""}),
    ("update-uphill", {"-= learning_rate": "+= learning_rate"}),
    ("wrong-update", {"self.params[key] -= learning_rate * grads[key]": "pass"}),
    ("wrong-update", {"for key in self.params:\n": "for key in ('W1', 'W2'):\n"}),
    ("wrong-batches", {"rows = np.random.choice(len(X), batch_size)": "rows = np.arange(batch_size)"}),
    ("wrong-batches", {"y=y[rows]": "y=y[:batch_size]"}),
    ("wrong-batches", {"y=y[rows]": "y=y[np.random.choice(len(X), batch_size)]"}),
    ("wrong-batches", {"rows = np.random": "if it == 0: rows = np.random"}),
    ("wrong-output", {"self.loss(X).argmax(axis=1)": "self.loss(X).argmin(axis=1)"}),
    ("unimplemented", {"        return self.loss(X).argmax(axis=1)": "        pass"}),
]  # fmt: skip
