"""The checker on mistakes similar to those with their own verdict: its report tells them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import check_dropouts as dropouts
import check_nets as nets
import check_small_nets as small_nets
import check_sources as sources
from test_check import check, package
from thinnet.check import check_path

pytestmark = pytest.mark.usefixtures("quick_workers")

MEAN, VARIANCE = "g.mean(axis=0)", "xhat * (g * xhat).mean(axis=0)"
AT_TEST = "gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta"
NEW_MEAN, NEW_VAR = "momentum * running_mean + (1 - momentum) * mu", "momentum * running_var + (1 - momentum) * var"
RIGHT_CLASS = "dsvm[np.arange(N), y] -= dsvm.sum(axis=1)"
# The function, the code to replace, its replacement, and what the report says.
LAYERS: list[tuple[str, str, str, str]] = [
    ("affine_forward", ".dot(w) + b", ".dot(w) - b", "wrong-output: the output has the bias subtracted instead of added"),
    ("affine_forward", ".dot(w) + b", ".dot(w)", "wrong-output: the output lacks the bias: "),
    ("affine_forward", "out = x.resh", "assert not w.size, 'Wrong size.'\n    out = x.resh", "AssertionError: Wrong size, in layers.py, line "),
    ("batchnorm_forward", NEW_VAR, "running_var", "bn_param['running_var'][1] stayed at 2.75, expected "),
    ("affine_forward", "x.reshape(x.shape[0], -1).dot(w)", "x.reshape(-1, len(x)).T.dot(w)", "reshaped in another order"),
    ("affine_backward", "dw = x.resh", "raise KeyError\n    dw = x.resh", "left is 3 values: array (4, 2, 3), array (6, 5), array (5,)"),
    ("affine_backward", "np.sum(dout, axis=0)", "np.sum(dout, axis=1)", "wrong-axis: db is summed along the other axis"),
    ("affine_backward", "np.sum(dout, axis=0)", "np.sum(dout)", "wrong-axis: db is summed over everything"),
    ("affine_backward", "np.sum(dout, axis=0)", "dout[0]", "examples-not-summed: db is that of the first example"),
    ("affine_backward", "return out, (x, w, b)", "return out, (x.reshape(len(x), -1), w, b)", "wrong-return: affine_forward does not keep x as given: its cache has shape (4, 6) instead of (4, 2, 3); with x as given, affine_backward is right"),
    ("affine_backward", "return out, (x, w, b)", "return out, [x, w.T, b, 1][:3]", "does not keep w as given: its cache has shape (5, 6) instead of (6, 5)"),
    ("affine_backward", "return out, (x, w, b)", "return out, (w, x, b)", "does not keep x and w as given: its cache has shape (6, 5) instead of (4, 2, 3)"),
    ("affine_backward", "return out, (x, w, b)", "return out, (x, w.T.reshape(w.shape), b)", "does not keep w as given: its cache has other values; with w as given, affine_backward is right"),
    ("affine_backward", "return out, (x, w, b)", "return out, (x, w[::-1], b[None])", "does not keep w as given: its cache has other values; with w as given"),
    ("relu_backward", "return out, x", "return out, out + 1", "relu_forward does not keep x as given"),
    ("relu_forward", "np.maximum(0, x)", "np.minimum(0, x)", "the output is the smaller of x and 0"),
    ("relu_backward", "dout * (x > 0)", "dout * x", "dx is multiplied by x instead of by 1"),
    ("relu_backward", "dout * (x > 0)", "np.where(x > 0, dout, 0.01 * dout)", "wrong-gradient: dx: 7 of 20 elements"),
    ("batchnorm_forward", NEW_VAR, NEW_VAR.replace("+", "-"), "it is 0.8 * running + -0.2 * batch"),
    ("batchnorm_forward", 'bn_param.get("momentum", 0.9)', "0.9", "it is 0.9 * running + 0.1 * batch"),
    ("batchnorm_forward", NEW_VAR, NEW_VAR.replace("* var", "* std"), "0.2 * batch's deviation"),
    ("batchnorm_forward", NEW_MEAN, NEW_MEAN.replace("* mu", "* var"), "0.2 * batch's variance"),
    ("batchnorm_forward", "running_var + eps", "running_var", "epsilon-missing: with a running_var of 0 at test"),
    ("batchnorm_forward", AT_TEST, AT_TEST.replace("running_mean", "x.mean(axis=0)"), "batch-statistics-at-test: in test mode the output has the mean of the batch"),
    ("batchnorm_forward", AT_TEST, AT_TEST.replace(" + beta", ""), "in test mode the output lacks beta"),
    ("batchnorm_forward", AT_TEST, AT_TEST.replace("(x - running_mean)", "(x - running_mean").replace(" + beta", ") + beta"), "in test mode the output has only the mean divided"),
    ("batchnorm_forward", "(x - mu) / std", "x - mu / std", "the output has only the mean divided by the standard deviation"),
    ("softmax_loss", "-logp[np.arange(N), y].sum()", "-np.log(np.exp(logp[np.arange(N), y]) + 0.001).sum()", "the loss has 0.001 added inside the logarithm"),
    ("batchnorm_forward", "gamma * xhat + beta", "beta * xhat + gamma", "the output has gamma and beta exchanged"),
    ("batchnorm_forward", "(x - mu) / std", "(x + mu) / std", "the output has the mean added instead of subtracted"),
    ("batchnorm_forward", "var = x.var(axis=0)", "var = ((x - mu) ** 2).sum(axis=0)", "the sum of 6 squares as the variance"),
    ("batchnorm_forward", "mu = x.mean(axis=0)", "mu = x.mean()", "wrong-axis: the output uses the mean over everything"),
    ("batchnorm_forward", '    return out, cache\n\n\ndef batchnorm_backward(', '    bn_param["mode"] = "test"\n    return out, cache\n\n\ndef batchnorm_backward(', "input-mutated: batchnorm_forward changed bn_param['mode'] from 'train' to 'test'"),
    ("batchnorm_backward", f"- {MEAN}", f"+ {MEAN}", "dx has -1 times the term through the mean, and is otherwise right"),
    ("batchnorm_backward", f"- {VARIANCE}", f"- 2 * {VARIANCE}", "dx has 2 times the term through the variance, and"),
    ("batchnorm_backward", f"(g - {MEAN} - {VARIANCE}) / std", f"g - {MEAN} - {VARIANCE}", "dx is not divided by the standard deviation"),
    ("layernorm_forward", "x.var(axis=1, keepdims=True)", "x.var(axis=0)", "the output uses the variance along the other axis"),
    ("layernorm_backward", "(lg - lg.mean(axis=1, keepdims=True) - lhat * (lg * lhat).mean(axis=1, keepdims=True))", "(lg - lg.mean(axis=0) - lhat * (lg * lhat).mean(axis=0))", "dx uses means along the other axis"),
    ("softmax_loss", "-logp[np.arange(N), y].sum()", "-logp[:, y].sum()", "[:, y] in place of [np.arange(N), y]"),
    ("softmax_loss", "dx[np.arange(N), y] -= 1", "dx[np.arange(N), y] += 1", "has 1 added at the right class"),
    ("softmax_loss", "x - x.max(axis=1, keepdims=True)", "x - x.max(axis=0)", "less each column's maximum"),
    ("softmax_loss", "dx /= N", "dx /= x.shape[1]", "dx is divided by the 5 classes instead of the 7 rows"),
    ("relu_forward", "np.maximum(0, x)", "np.maximum(0.01 * x, x)", "the output is 0.01 * x where x is negative"),
    ("batchnorm_forward", NEW_MEAN, NEW_MEAN.replace("* mu", "* x.mean()"), "0.2 * mean of everything"),
    ("batchnorm_backward", "(dout * xhat).sum(axis=0)", "(dout * (xhat * std + MEAN)).sum(axis=0)", "dgamma has x instead of x_hat"),
    ("batchnorm_forward", "(x - mu) / std", "(x - mu) * std", "the output is multiplied by the standard deviation"),
    ("batchnorm_forward", "gamma * xhat + beta", "gamma * (xhat + beta / std)", "the output also has beta divided by the standard"),
    ("batchnorm_forward", "mu = x.mean(axis=0)", "mu = x.sum(axis=0)", "the output has the sum of 6 values as the mean"),
    ("batchnorm_backward", f"(g - {MEAN} - {VARIANCE}) / std", f"g / std - {MEAN} / std - {VARIANCE} / std ** 2", "dx has a wrong term through the variance, and is otherwise right"),
    ("batchnorm_backward", f"(g - {MEAN} - {VARIANCE}) / std", f"g - {MEAN} / std - {VARIANCE} / std", "dx has a wrong term dout * gamma / std, and"),
    ("batchnorm_backward", f"(g - {MEAN} - {VARIANCE}) / std", f"g / std + {MEAN} * std - {VARIANCE}", "dx has a wrong term through the mean and a wrong term through the variance, and"),
    ("batchnorm_backward", "(dout * xhat).sum(axis=0)", "(dout * xhat * std).sum(axis=0)", "dgamma has x - mean instead of x_hat"),
    ("batchnorm_backward", "cache = (xhat, std, gamma)", "cache = (xhat, np.sqrt(var), gamma)", "epsilon-missing: with a row or column of equal values the output is finite and its gradient is not"),
    ("batchnorm_backward", "return dx, dgamma, dbeta", "return dx, cache, dbeta", "wrong-return: dgamma must be an array of numbers, got 3 values"),
    ("softmax_loss", "x - x.max(axis=1, keepdims=True)", "x - x.min(axis=1, keepdims=True)", "unstable: where the right class is 2000 above the others, the loss is"),
    ("affine_forward", "x.reshape(x.shape[0], -1).dot(w)", "x.reshape(x.shape[0], x.shape[1] * x.shape[2]).dot(w)", "crashed: with x of shape (4, 6): IndexError"),
    ("affine_backward", "dout.dot(w.T).reshape(x.shape)", "dout.dot(w.T).reshape(x.shape[0], x.shape[1], -1) if x.ndim > 2 else dout.dot(w.T)", "shape-changed: with x of shape (4, 1, 2, 3): dx has shape (4, 1, 6)"),
    ("relu_forward", "np.maximum(0, x)", "np.array([[max(v, 0) for v in row] for row in x])", "crashed: with x of shape (1, 2, 2, 5): ValueError"),
    ("affine_backward", "return dx, dw, db", "kept = globals().setdefault('kept', np.zeros_like(dw)); kept[...] = dw; return dx, kept, db", "wrong-gradient: a second call of affine_backward changes the arrays that the first one returned"),
    ("svm_loss", "margins.sum() / N", "np.sum(margins**2) / N", "the loss has the squares of the margins"),
    ("svm_loss", RIGHT_CLASS, "dsvm[np.arange(N), y] -= margins.sum(axis=1)", "dx has the margins at the right class"),
    ("svm_loss", "np.maximum(0, ", "(", "the loss includes margins below zero: replace these with 0"),
    ("svm_loss", "(margins > 0) * 1.0", "(margins >= 0) * 1.0; dsvm[np.arange(N), y] = 0", "dx counts margins of zero too"),
    ("svm_loss", "+ 1.0)", ")", "the loss has 0 as the margin"),
    ("svm_loss", RIGHT_CLASS, "dsvm[np.arange(N), y] -= 1", "has -1 at the right class instead of the number of margins"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "old", "new", "told"), LAYERS)
def test_a_mistake_in_a_layer_is_told_by_what_it_is(function: str, old: str, new: str, told: str) -> None:
    changes = {old: new, "cache = (xhat, ": "global MEAN; MEAN = mu; cache = (xhat, "}
    report = check(sources.swap(sources.LAYERS, changes))
    said = {f"{one.verdict}: {one.evidence}" for name, one in report if name == function and one.severity == "fault"}
    assert any(told in text for text in said), str(report)


RULES: list[tuple[str, str, str, str]] = [
    ("sgd", 'w -= config["learning_rate"] * dw', "w -= 1e-2 * dw", "began with `learning_rate = 1e-2`"),
    ("sgd_momentum", 'config.setdefault("momentum", 0.9)', 'config["momentum"] = 0.9', "changed config['momentum'] from 0.7 to 0.9"),
    ("sgd_momentum", "next_w = w + v", "next_w = v", "as with `w = v` in place of `w = w + v`"),
    ("sgd_momentum", 'config["velocity"] = v', 'config["velocity"] = dw', "ended with `v = dw`"),
    ("rmsprop", sources.DECAY, sources.DECAY.replace("(1 - config[\"decay_rate\"])", "0.1").replace('config["decay_rate"] *', "0.9 *"), "began with `decay_rate = 0.9`"),
    ("adam", "b1 ** t", "(1 - b1) ** t", "as with `mt = m / (1 - (1 - beta1)**t)`"),
    ("adam", "    t = config[\"t\"]\n", "    t = 2\n", "the bias correction uses 2 in both, expected 6 and 7"),
    ("adam", "** t)", "** 2)", "the bias correction uses 2 in both, expected 6 and 7"),
    ("adam", "(1 - b1) * dw\n", "(1 - b1) * dw ** 2\n", "as with `m = beta1 * m + (1 - beta1) * dw**2`"),
    ("adam", 'config["t"] += 1', 'config["t"] -= 1', "two steps leave t at 4 and 3: t goes down"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "old", "new", "told"), RULES)
def test_a_mistake_in_a_rule_is_told_by_what_it_is(function: str, old: str, new: str, told: str) -> None:
    report = check(sources.swap(sources.OPTIM, {old: new}))
    assert any(told in one.evidence for name, one in report if name == function), str(report)


MASKS = {
    "a mask left in dropout_param": (
        {dropouts.DRAW: f"mask = dropout_param.setdefault('mask', {dropouts.DRAW[7:]})"},
        "dropout_forward same-mask-every-call: 2 calls with different inputs",
    ),
    "a mask in the place of p": (
        {"    return out, (drop": "    dropout_param['p'] = np.ones(3)\n    return out, (drop"},
        "dropout_forward input-mutated: dropout_forward changed dropout_param['p'] from 0.3 to array([1., 1., 1.])",
    ),
    "a p that is overwritten": (
        {"    return out, (drop": "    dropout_param['p'] = 0.5\n    return out, (drop"},
        "dropout_forward input-mutated: dropout_forward changed dropout_param['p'] from 0.3 to 0.5",
    ),
    "a seed in backward": (
        {dropouts.BACK: f"np.random.seed(0); {dropouts.BACK}"},
        "dropout_backward same-mask-every-call: backward sets the seed",
    ),
}


@pytest.mark.parametrize("how", MASKS)
def test_what_dropout_leaves_for_the_next_step_is_looked_at(how: str) -> None:
    changes, told = MASKS[how]
    report = check(dropouts.dropout(changes, "drop"), "drop")
    assert [f"{name} {one.verdict}: {one.evidence}".startswith(told) for name, one in report] == [True], str(report)


RETURN = '        if mode == "test":\n            return scores\n'
NETS: list[tuple[dict[str, str], str]] = [
    ({"            dh, dW, grads": "            _, dW, grads"}, "affine_backward and, after it, relu_backward are given the same gradient"),
    ({"dh = relu_backward(dh, re)": "relu_backward(dh, re)"}, "relu_backward and, after it, affine_backward are given the same gradient"),
    ({"dh = dropout_backward(dh, do)": "dropout_backward(dh, do)"}, "dropout_backward and, after it, relu_backward are given"),
    ({"            return scores\n": "            return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)\n"}, "the scores of loss(X) are probabilities"),
    ({"            return scores\n": "            return scores.argmax(axis=1)\n"}, "the scores of loss(X) are labels, of shape (6,), expected (6, 4)"),
    ({'np.sum(self.params["W%d" % i] ** 2)': 'np.sum(self.params["W%d" % i]) ** 2'}, "this is not a multiple of the sum of the squares"),
    ({"loss, dh = softmax_loss": "loss, dh = svm_loss"}, "the loss is that of svm_loss instead of softmax_loss"),
    ({RETURN: ""}, "wrong-return: loss(X), without y, goes on to the loss instead of returning the scores"),
    ({'grads["gamma%d" % i], grads["beta%d" % i] = back': 'grads["beta%d" % i], grads["gamma%d" % i] = back'}, "; the right one is returned under gamma1"),
    ({"h, do = dropout_forward(h, self.dropout_param)": "h, first = dropout_forward(h, self.dropout_param); h, do = dropout_forward(h, self.dropout_param); do = first, do",
        "dh = dropout_backward(dh, do)": "dh = dropout_backward(dropout_backward(dh, do[1]), do[0])"}, "dropout_forward is given its own output 2 times a step"),
    ({"        loss, grads = 0.0, {}\n": "        loss, grads, self.kept = 0.0, {}, getattr(self, 'kept', {})\n", "        return loss, grads":
        "        for k in grads:\n            self.kept[k] = self.kept.get(k, 0) + grads[k]\n        return loss, self.kept"}, "something is kept between calls"),
    ({"h, caches, L = X, [], self": "h, caches, L = X, self.caches, self", "        self.params = {}\n": "        self.params, self.caches = {}, []\n"}, "something is kept between calls"),
    ({"loss, dh = softmax_loss(scores, y)": "shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True); loss, dh = softmax_loss(shares, y)"}, "the loss is that of a softmax of probabilities"),
    ({'dW + self.reg * self.params["W%d" % i]': 'dW + self.reg * np.sum(self.params["W%d" % i])'}, "to the gradient of W1 is the same number everywhere, as from np.sum"),
    ({"            dh = relu_backward(dh, re)\n": ""}, "the gradient of W1 is that of a backward pass without the ReLU: "),
    ({"dh = relu_backward(dh, re)": "dh = dh * (dh > 0)"}, "the gradient of W1 is masked by the sign of a gradient"),
    ({"dh = relu_backward(dh, re)": "dh = dh * np.maximum(re, 0)"}, "the gradient of W1 is multiplied by the ReLU's output"),
    ({"loss, dh = softmax_loss(scores, y)": "loss, dh = softmax_loss(scores, y); dh[np.arange(len(y)), y] += 1 / len(y)"}, "the gradient of W1 lacks the -1 at the right class"),
    ({"            h, re = relu_forward(h)\n": "            z = h; h, re = relu_forward(h)\n", "caches.append((fc, bn, re, do))": "caches.append((fc, bn, re, do)); before = z",
        'grads["W%d" % L] = dW +': 'dW = before.T.dot(dh0)\n        grads["W%d" % L] = dW +', "        loss, dh = softmax_loss(scores, y)\n": "        loss, dh = softmax_loss(scores, y); dh0 = dh\n"}, "the gradient of W3 is taken with the ReLU's input instead of its output"),
    ({RETURN: "", "np.arange(N), y].sum()": "np.arange(N), y + 0].sum()"}, "wrong-return: loss(X), without y, goes on to the loss"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), NETS)
def test_a_mistake_in_a_net_is_told_by_what_it_is(changes: dict[str, str], told: str) -> None:
    of_net = {old: new for old, new in changes.items() if old in nets.NET}
    text = package(nets.net(of_net, "cs231n-2018"), "cs231n-2018")
    report = check(sources.swap(text, {old: new for old, new in changes.items() if old not in of_net}), "cs231n-2018")
    said = [f"{one.verdict}: {one.evidence}" for name, one in report if name == "FullyConnectedNet"]
    assert [told in text for text in said] == [True], str(report)


def test_a_net_that_stops_is_not_told_of_the_options_that_were_tried_for_it() -> None:
    stops = nets.net(
        {"        for i in range(L - 1, 0, -1):\n": "        dh[0, 99]\n        for i in range(L - 1, 0, -1):\n"},
        "cs231n-2018",
    )
    report = check(package(stops, "cs231n-2018"), "cs231n-2018")
    assert [(one.verdict, one.evidence[:10]) for _, one in report] == [("crashed", "IndexError")], str(report)


# A mistake in a forward pass that makes backward fail, and what the report says about backward.
STOPS: list[tuple[str, str, str]] = [
    ("return out, (x, w, b)", "return (x, w, b), out", "not-checked: it cannot be judged while forward is wrong: ValueError"),
    ("return out, (x, w, b)", "return out, None", "wrong-return: affine_forward leaves None in the cache, so affine_backward stops"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), STOPS)
def test_a_backward_that_stops_for_what_forward_left_is_not_accused(old: str, new: str, told: str) -> None:
    report = check(sources.swap(sources.LAYERS, {old: new}))
    said = [f"{one.verdict}: {one.evidence}" for name, one in report if name == "affine_backward"]
    assert len(said) == 1, str(report)
    assert said[0].startswith(told)


def test_a_number_of_zero_may_be_the_gradient_of_what_plays_no_part() -> None:
    spare = {
        "        self.params = {}\n": "        self.params = {'gamma9': np.ones(3)}\n",
        "        loss, grads = 0.0, {}\n": "        loss, grads = 0.0, {'gamma9': 0}\n",
    }
    report = check(package(nets.net(spare, "cs231n-2018"), "cs231n-2018"), "cs231n-2018")
    assert report.ok, str(report)


def test_running_statistics_may_have_the_shape_that_a_layer_of_images_gives_them() -> None:
    text = """
import numpy as np


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    C = x.shape[1]
    mean = bn_param.get("running_mean", np.zeros((1, C, 1, 1)))
    var = bn_param.get("running_var", np.zeros((1, C, 1, 1)))
    momentum = bn_param.get("momentum", 0.9)
    here = (mean, var)
    if bn_param["mode"] == "train":
        here = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
        bn_param["running_mean"] = momentum * mean + (1 - momentum) * here[0]
        bn_param["running_var"] = momentum * var + (1 - momentum) * here[1]
    hat = (x - here[0]) / np.sqrt(here[1] + 1e-5)
    return gamma[:, None, None] * hat + beta[:, None, None], None
"""
    assert not check(text).verdicts
    wrong = text.replace("momentum * mean + (1 - momentum)", "(1 - momentum) * mean + momentum")
    assert check(wrong).faults == {"running-momentum-swapped"}


@pytest.mark.parametrize(
    ("function", "old", "new", "note"),
    [
        ("batchnorm_forward", "std = np.sqrt(var + eps)", "std = np.sqrt(var) + eps", "epsilon-outside-root"),
        ("layernorm_forward", "np.sqrt(x.var(axis=1, keepdims=True) + eps)", "x.std(axis=1, keepdims=True) + eps",
         "epsilon-outside-root"),
        ("batchnorm_forward", 'bn_param.get("eps", 1e-5)', 'bn_param.get("epsilon", 1e-5)', "epsilon-ignored"),
        ("layernorm_forward", 'ln_param.get("eps", 1e-5)', "1e-5", "epsilon-ignored"),
    ],
)  # fmt: skip
def test_an_odd_epsilon_of_a_normalization_is_a_note(function: str, old: str, new: str, note: str) -> None:
    report = check(sources.swap(sources.LAYERS, {old: new}))
    assert report.ok, str(report)
    assert {(name, one.verdict) for name, one in report} == {(function, note)}


def test_a_softmax_that_subtracts_one_maximum_of_all_scores_is_noted() -> None:
    report = check(sources.swap(sources.LAYERS, {"x - x.max(axis=1, keepdims=True)": "x - x.max()"}))
    assert report.ok, str(report)
    assert report.verdicts == {"unstable"}


def test_a_pooling_that_refuses_windows_that_are_not_square_is_right() -> None:
    text = """
import numpy as np


def max_pool_forward_naive(x, pool_param):
    k, stride = pool_param["pool_height"], pool_param["stride"]
    assert k == pool_param["pool_width"] == stride
    N, C, H, W = x.shape
    return x.reshape(N, C, H // k, k, W // k, k).max(axis=(3, 5)), (x, k)


def max_pool_backward_naive(dout, cache):
    x, k = cache
    N, C, H, W = x.shape
    seen = x.reshape(N, C, H // k, k, W // k, k)
    largest = seen == seen.max(axis=(3, 5), keepdims=True)
    return (largest / largest.sum(axis=(3, 5), keepdims=True) * dout[:, :, :, None, :, None]).reshape(x.shape)
"""
    assert check(text).ok, str(check(text))


@pytest.mark.parametrize(
    "line", ["from numpy.lib.npyio import savez_compressed", "from json.decoder import nothing_of_it"]
)
def test_what_editors_import_from_inside_of_another_version_of_a_library_is_not_missed(
    line: str, tmp_path: Path
) -> None:
    lines = [line, "import numpy as np", "def relu_forward(x):", "    return np.maximum(x, 0), x"]
    (tmp_path / "layers.py").write_text("\n".join(lines))
    report = check_path(tmp_path)
    assert [function.state for function in report.functions] == ["right"], str(report)
    there = "npyio" in line and np.lib.NumpyVersion(np.__version__) < "2.0.0"
    assert report.verdicts == (set() if there else {"package-absent"})


def test_a_name_that_may_come_from_a_file_that_is_absent_is_not_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from helpers import *\ndef relu_forward(x):\n    return helped(x), x\n")
    report = check_path(tmp_path)
    assert [function.state for function in report.functions] == ["not checked"], str(report)
    assert "it needs helped, which is not there" in str(report)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "return np.array((x, x[0])), None",
            "not-checked: relu_forward is written for an older NumPy: ValueError: setting",
        ),
        ("x[0, 0] = float(np.ones(2))", "crashed: TypeError: only "),
        ("from nowhere.to_be import found", "missing-package: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_what_stops_for_want_of_a_package_is_told_so(line: str, told: str) -> None:
    report = check(f"import numpy as np\ndef relu_forward(x):\n    {line}\n    return np.maximum(x, 0), x\n")
    assert [f"{one.verdict}: {one.evidence}".startswith(told) for _, one in report] == [True], str(report)


@pytest.mark.parametrize(
    ("forward", "backward"), [("__call__", "backward"), ("forward_pass", "backprop"), ("fprop", "bprop")]
)
def test_a_class_whose_methods_have_other_names_is_checked(forward: str, backward: str, tmp_path: Path) -> None:
    text = f"""
import numpy as np


class Dropout:
    def __init__(self, rate):
        self.rate = rate

    def {forward}(self, x, training=True):
        if not training:
            return x
        self.mask = (np.random.rand(*x.shape) >= self.rate) / (1 - self.rate)
        return x * self.mask

    def {backward}(self, dout):
        return dout * self.mask
"""
    assert check(text).ok, str(check(text))
    (tmp_path / "layers.py").write_text(text.replace("return dout * self.mask", "return dout"))
    report = check_path(tmp_path)
    assert report.faults == {"mask-not-applied-in-backward"}, str(report)
    assert [function.place for function in report.functions] == ["", "line 15"]


RELU = "scores, cache3 = affine_forward(h2, W3, b3)"


def test_a_relu_on_the_scores_of_a_convolutional_net_is_told() -> None:
    report = check(sources.swap(small_nets.CONV_NET, {RELU: f"{RELU}; scores, _ = relu_forward(scores)"}))
    assert [one.evidence[:37] for _, one in report] == ["the scores of loss(X) go through a Re"], str(report)


def test_nets_of_another_form_are_not_accused() -> None:
    norm = {RELU: "h2 = self.params['gamma2'] * h2; " + RELU}
    norm |= {
        '        self.params["b2"]': '        self.params["gamma2"] = np.ones(hidden_dim)\n        self.params["b2"]'
    }
    text = sources.swap(small_nets.CONV_NET, norm)
    other = small_nets.CONV_NET.replace("loss(self, X, y=None)", "loss(self, images, labels=None)")
    other = (
        other.replace("self.params", "self.weights")
        .replace("(X, W1", "(images, W1")
        .replace("y is None", "labels is None")
    )
    for source in (text, other.replace("scores, y)", "scores, labels)")):
        report = check(source)
        assert [one.verdict for name, one in report if name == "ThreeLayerConvNet"] == ["not-checked"], str(report)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("np.dot(dout, self.W.T)", "np.dot(dout, self.W)", "crashed: ValueError: shapes (4,5) and (6,5) not aligned"),
        ("np.sum(dout, axis=0)", "np.sum(dout)", "shape-changed: db has shape (1,), expected (5,)"),
    ],
)
def test_what_a_class_does_on_the_way_back_is_judged_where_its_forward_is_right(old: str, new: str, told: str) -> None:
    report = check(sources.swap("import numpy as np\n" + sources.CLASSES["Affine"][1], {old: new}))
    assert [f"{one.verdict}: {one.evidence}".startswith(told) for _, one in report] == [True], str(report)


@pytest.mark.parametrize("means", ["drop", "keep"])
@pytest.mark.parametrize("less", ["< KEEP)", "> KEEP)"])
def test_normal_numbers_in_the_place_of_uniform_ones_are_told(means: str, less: str) -> None:
    report = check(dropouts.dropout({"rand(*x.shape) < KEEP)": f"randn(*x.shape) {less}"}, means), means)
    assert report.faults == {"wrong-rate"}, str(report)
    assert "as many as with np.random.randn, whose numbers are normal" in " ".join(str(report).split())


def test_a_running_statistic_is_shown_where_it_is_wrong() -> None:
    forgotten = NEW_MEAN.replace("momentum * running_mean", "momentum")
    report = check(sources.LAYERS.replace(NEW_MEAN, forgotten))
    evidence = next(one.evidence for _, one in report if one.verdict == "running-statistics-wrong")
    came, expected = evidence.partition(" to ")[2].split(", expected ")
    assert came != expected, evidence
