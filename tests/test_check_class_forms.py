"""The checker on classes with parameters in dicts or lists, examples in columns, or caches that backward consumes."""

from __future__ import annotations

import pytest

from check_sources import swap
from test_check import check

# Parameters and gradients in dicts; examples in columns, where some average the gradients instead of the loss.
IN_DICTS = """
import numpy as np


class Linear:
    def __init__(self, inputs: int, outputs: int) -> None:
        self.grads = {"W": np.zeros((inputs, outputs)), "b": np.zeros(outputs)}
        self.v = {key: value.copy() for key, value in self.grads.items()}
        self.params = {"W": np.random.randn(inputs, outputs), "b": np.zeros(outputs)}

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache = {"x": x}
        return x @ self.params["W"] + self.params["b"]

    def backward(self, grad: np.ndarray) -> np.ndarray:
        self.grads["W"] = self.cache["x"].T @ grad
        self.grads["b"] = grad.sum(axis=0)
        return grad @ self.params["W"].T


class LayerNorm:
    def __init__(self, dim, *, eps=1e-5):
        self.params, self.grads, self.eps = dict(gamma=np.ones(dim), beta=np.zeros(dim)), {}, eps

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=1, keepdims=True) + self.eps)
        self.hat = (x - x.mean(axis=1, keepdims=True)) / self.std
        return self.params["gamma"] * self.hat + self.params["beta"]

    def backward(self, dy):
        self.grads["dgamma"], self.grads["dbeta"] = (dy * self.hat).sum(0), dy.sum(0)
        d = dy * self.params["gamma"]
        return (d - d.mean(1, keepdims=True) - self.hat * (d * self.hat).mean(1, keepdims=True)) / self.std


class ReLU:
    @staticmethod
    def forward(x):
        return np.maximum(x, 0), x

    @staticmethod
    def backward(dout, cache):
        return dout * (cache > 0)
"""
COLUMNS = """
import numpy as np


class Dense:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_out, n_in), np.zeros((n_out, 1))

    def forward(self, X):
        self.X = X
        return self.W @ X + self.b

    def backward(self, dZ):
        self.dW, self.db = dZ @ self.X.T, dZ.sum(axis=1, keepdims=True)
        return self.W.T @ dZ
"""
RETURNED = {
    "self.dW, self.db =": "self.grads = [np.zeros((3, 3)), None]; dW, db =",
    "return self.W.T @ dZ": 'return self.W.T @ dZ, {"W": dW, "b": db}',
}
# Caches that backward consumes; statistics in a dict; constructor arguments other than sizes.
USED_UP = """
import numpy as np


class Dropout:
    def __init__(self, p):
        self.p, self.masks, self.training = p, [], True

    def forward(self, x):
        if not self.training:
            return x
        self.masks.append((np.random.rand(*x.shape) > self.p).astype(x.dtype) / x.dtype.type(1 - self.p))
        return x * self.masks[-1]

    def backward(self, dout):
        return dout * self.masks.pop()


class BatchNorm:
    def __init__(self, features):
        self._gamma, self._beta = np.ones((1, features)), np.zeros((1, features))
        self.running = {"mean": np.zeros((1, features)), "var": np.ones((1, features))}

    def forward(self, x, mode="train"):
        mean, var = (x.mean(0), x.var(0)) if mode == "train" else (self.running["mean"], self.running["var"])
        if mode == "train":
            self.running["mean"] = 0.9 * self.running["mean"] + 0.1 * mean
            self.running["var"] = 0.9 * self.running["var"] + 0.1 * var
        self.std = np.sqrt(var + 1e-5)
        self.hat = (x - mean) / self.std
        return self._gamma * self.hat + self._beta

    def backward(self, dout):
        self._dgamma, self._dbeta = (dout * self.hat).sum(0), dout.sum(0)
        d = dout * self._gamma
        return (d - d.mean(0) - self.hat * (d * self.hat).mean(0)) / self.std


class Dense:
    def __init__(self, n_in, n_out, scale):
        self._weights, self._bias = np.random.normal(0, scale, (n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self._weights + self._bias

    def backward(self, dout):
        self.d_weights, self.d_bias, x = self.x.T @ dout, dout.sum(0), self.__dict__.pop("x")
        return dout @ self._weights.T
"""
# The optimizer's state is defined before the parameters; the class has its own names for the modes.
OWN_WORDS = (
    IN_DICTS.replace("params", "p")
    + """

class Dropout:
    def __init__(self, rate=0.1, seed=42):
        self.rate, self.rng, self.mode = rate, np.random.default_rng(seed), "train"

    def forward(self, x):
        if self.mode in ("eval", "inference"):
            return x
        self.kept = (self.rng.random(x.shape, dtype=np.float32) >= self.rate).astype(x.dtype)
        return x * self.kept / x.dtype.type(1 - self.rate)

    def backward(self, g):
        return g * self.kept / (1 - self.rate)
"""
)
# Backward also takes the input of forward.
GIVEN_AGAIN = """
import numpy as np


class Dense:
    def __init__(self, input_units, output_units, learning_rate=0.1):
        self.weights, self.biases = np.random.randn(input_units, output_units), np.zeros(output_units)
        self.learning_rate = learning_rate

    def forward(self, input):
        return input.dot(self.weights) + self.biases

    def backward(self, input, grad_output):
        dx = grad_output.dot(self.weights.T)
        self.weights = self.weights - self.learning_rate * input.T.dot(grad_output)
        self.biases = self.biases - self.learning_rate * grad_output.sum(axis=0)
        return dx


class ReLU:
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dout, x):
        return dout * (x > 0)
"""
IN_LISTS = {
    "self.params = {": "self.grads, self.params = [0, 0], [",
    'self.grads, self.params = [0, 0], ["W": ': "self.grads, self.params = [0, 0], [",
    ', "b": np.zeros(outputs)}\n\n': ", np.zeros(outputs)]\n\n",
    'params["W"]': "params[0]",
    'params["b"]': "params[1]",
    'self.grads["W"]': "self.grads[0]",
    'self.grads["b"]': "self.grads[1]",
}


# A parameter is an object with its gradient; large epsilons, written as literals.
IN_OBJECTS = """
import numpy as np


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)


class Linear:
    def __init__(self, inputs, outputs):
        self.weight, self.bias = Parameter(np.random.randn(outputs, inputs)), Parameter(np.zeros(outputs))

    def forward(self, x):
        self.x = x
        return x @ self.weight.data.T + self.bias.data

    def backward(self, dout):
        self.weight.grad += dout.T @ self.x
        self.bias.grad += dout.sum(axis=0)
        return dout @ self.weight.data


class BatchNorm:
    def __init__(self, features):
        self.gamma, self.beta = Parameter(np.ones(features)), Parameter(np.zeros(features))
        self.moving_mean, self.moving_variance = np.zeros(features), np.ones(features)

    def forward(self, x, training=True):
        mean, var = (x.mean(0), x.var(0)) if training else (self.moving_mean, self.moving_variance)
        if training:
            self.moving_mean = 0.99 * self.moving_mean + 0.01 * mean
            self.moving_variance = 0.99 * self.moving_variance + 0.01 * var
        self.std = np.sqrt(var + 0.001)
        self.hat = (x - mean) / self.std
        return self.gamma.data * self.hat + self.beta.data

    def backward(self, dout):
        self.gamma.grad += (dout * self.hat).sum(0)
        self.beta.grad += dout.sum(0)
        d = dout * self.gamma.data
        return (d - d.mean(0) - self.hat * (d * self.hat).mean(0)) / self.std


class LayerNorm:
    def __init__(self, dim):
        self.gamma, self.beta = np.ones(dim), np.zeros(dim)

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=1, keepdims=True) + 0.01)
        self.hat = (x - x.mean(axis=1, keepdims=True)) / self.std
        return self.gamma * self.hat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.hat).sum(0), dout.sum(0)
        d = dout * self.gamma
        return (d - d.mean(1, keepdims=True) - self.hat * (d * self.hat).mean(1, keepdims=True)) / self.std
"""


@pytest.mark.parametrize(
    "text", [IN_DICTS, COLUMNS, swap(COLUMNS, RETURNED), swap(IN_DICTS, IN_LISTS), USED_UP, GIVEN_AGAIN, IN_OBJECTS]
)
def test_parameters_in_dicts_and_lists_and_examples_in_columns_are_right(text: str) -> None:
    report = check(text)
    assert report.count("right") == len(report.functions), str(report)
    assert not report.verdicts


@pytest.mark.parametrize(
    ("verdict", "text", "old", "new"),
    [
        ("bias-gradient-averaged", IN_DICTS, "grad.sum(axis=0)", "grad.mean(axis=0)"),
        ("bias-gradient-averaged", swap(IN_DICTS, IN_LISTS), "grad.sum(axis=0)", "grad.mean(axis=0)"),
        ("missing-mean-term", IN_DICTS, "d - d.mean(1, keepdims=True) -", "d -"),
        ("gradient-sign", IN_DICTS, '"dbeta"] =', '"dbeta"] = -1 *'),
        ("wrong-axis", COLUMNS, "dZ.sum(axis=1, keepdims=True)", "dZ.sum(axis=0)"),
        ("gradient-scaled", COLUMNS, "dZ @ self.X.T", "2 * dZ @ self.X.T"),
        ("gradient-scaled", swap(COLUMNS, RETURNED), "dZ @ self.X.T", "2 * dZ @ self.X.T"),
        ("wrong-output", COLUMNS, "+ self.b", "- self.b"),
        ("mask-not-applied-in-backward", USED_UP, "dout * self.masks.pop()", "dout"),
        (
            "running-momentum-swapped",
            USED_UP,
            '0.9 * self.running["mean"] + 0.1 *',
            '0.1 * self.running["mean"] + 0.9 *',
        ),
        ("active-at-test", OWN_WORDS, 'in ("eval", "inference")', 'in ("evil",)'),
        ("wrong-gradient", GIVEN_AGAIN, "(x > 0)", "(dout > 0)"),
        ("gradient-sign", GIVEN_AGAIN, "dx = ", "dx = -1 * "),
        ("bias-gradient-averaged", GIVEN_AGAIN, "grad_output.sum(axis=0)", "grad_output.mean(axis=0)"),
        ("gradient-sign", GIVEN_AGAIN, "self.weights - self.l", "self.weights + self.l"),
        ("gradient-scaled", GIVEN_AGAIN, "self.biases - self.learning_rate *", "self.biases - 0 *"),
        ("bias-gradient-averaged", IN_OBJECTS, "self.bias.grad += dout.sum", "self.bias.grad += dout.mean"),
        ("missing-mean-term", IN_OBJECTS, "d - d.mean(0) -", "d -"),
        (
            "running-momentum-swapped",
            IN_OBJECTS,
            "0.99 * self.moving_variance + 0.01",
            "0.01 * self.moving_variance + 0.99",
        ),
        ("missing-variance-term", IN_OBJECTS, " - self.hat * (d * self.hat).mean(1, keepdims=True)", ""),
        ("gradient-scaled", USED_UP, "self.x.T @ dout", "self.x.T @ dout * 3"),
        ("wrong-gradient", USED_UP, "return dout @", "self._weights -= 0.1 * self.d_weights; return dout @"),
    ],
)
def test_faults_of_such_classes_are_found_by_name(verdict: str, text: str, old: str, new: str) -> None:
    assert check(text.replace(old, new)).faults == {verdict}


def test_a_class_may_be_given_functions_for_its_first_values() -> None:
    text = """
import numpy as np


class Linear:
    def __init__(self, in_feature, out_feature, weight_init_fn, bias_init_fn):
        self.W, self.b = weight_init_fn(in_feature, out_feature), bias_init_fn(out_feature)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, delta):
        self.dW, self.db = self.x.T @ delta, delta.sum(axis=0)
        return delta @ self.W.T
"""
    assert [one.state for one in check(text).functions] == ["right", "right"], str(check(text))


MODE_IN_BOTH = """
import numpy as np


class Dropout:
    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, training=False):
        if not training:
            return x
        self.mask = (np.random.rand(*x.shape) >= self.rate) / (1 - self.rate)
        return x * self.mask

    def backward(self, dout, training=False):
        return dout * self.mask if training else dout


class ReLU:
    def forward(self, x, mode="test"):
        self.x = x if mode == "train" else None
        return np.maximum(x, 0)

    def backward(self, dout, lr, mode="test"):
        return dout * (self.x > 0) if mode == "train" else None
"""


def test_backward_is_told_the_mode_too_where_it_takes_one() -> None:
    report = check(MODE_IN_BOTH)
    assert report.ok, str(report)
    assert [one.state for one in report.functions] == ["right"] * 4, str(report)
    wrong = check(MODE_IN_BOTH.replace("return dout * self.mask if training", "return dout if training"))
    assert wrong.faults == {"mask-not-applied-in-backward"}, str(wrong)


# forward takes the courses' dropout_param instead of the constructor taking p.
OF_PARAM = """
import numpy as np


class DropoutLayer:
    @staticmethod
    def forward(x, dropout_param):
        p, mask = dropout_param["p"], None
        if dropout_param["mode"] == "train":
            mask = ((np.random.rand(*x.shape) < p) / p).astype(x.dtype)
            x = x * mask
        return x, (mask,)

    @staticmethod
    def backward(dout, cache):
        [mask] = cache
        return dout if mask is None else dout * mask
"""


def test_a_dropout_class_may_take_the_courses_dictionary() -> None:
    report = check(OF_PARAM, "keep")
    assert [function.state for function in report.functions] == ["right", "right"], str(report)
    assert check(swap(OF_PARAM, {"else dout * mask": "else dout"}), "keep").faults == {"mask-not-applied-in-backward"}
