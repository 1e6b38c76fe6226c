"""The checker on slips in whole nets: each gets its cause and its own advice, and nothing else."""

from __future__ import annotations

import pytest

import check_nets as nets
import check_small_nets as small_nets
import check_written_out
from check_sources import swap
from test_check import check, check_net, package
from thinnet.check import Report

DIALECT = "cs231n-2021"
SCORES = '        if mode == "test":\n            return scores\n'
RETURN = "        return loss, grads\n"
DROPPED = "            d = d * mask * (z > 0)\n"


def told(report: Report) -> str:
    (one,) = [one for _, one in report if one.severity == "fault"]
    return f"{one.verdict}: {one.evidence} {one.mend}"


@pytest.mark.parametrize(
    ("old", "new", "evidence", "mend"),
    [
        ("loss += 0.5 * self.reg", "loss = 0.5 * self.reg", "wrong-output: the loss is zero", "Do not overwrite"),
        (SCORES, SCORES.replace("scores\n", "scores, {}\n"), "wrong-return: loss(X) must return the scores alone, got 2", "write return scores"),
        (SCORES, "        y = np.zeros(len(X), int) if y is None else y\n", "loss(X), without y, goes on to the loss", "if y is None: return scores"),
        (RETURN, "        return grads\n", "must return two values, got a dict", "End with return loss, grads"),
        (RETURN, "        return loss, list(grads.values())\n", "must return a number and a dict", "End with return loss, grads"),
        (RETURN, "        return grads, loss\n", "the loss must be an array of numbers, got a dict", "End with return loss, grads"),
        ("self.bn_params[i - 1])\n            h, re", "self.bn_params[i])\n            h, re", "crashed: with normalization='batchnorm', IndexError", "self.bn_params[i - 1]"),
        ("self.normalization and i < self.num_layers - 1", "self.normalization", "the gradients of gamma3, beta3 are missing; params need not have gamma3 and beta3", "for the hidden layers only"),
        ("(dims[i], dims[i + 1])\n", "(dims[i], dims[i + 1] if i < 2 else num_classes)\n", "wrong-return: with hidden_dims=[6, 7, 8], params['W3'] has shape (7, 4), expected (7, 8); with [7, 9] it is right", "dims = [input_dim] + hidden_dims"),
        ("relu_backward(dh, re)", "relu_backward(dh, fc)", "crashed: ArgumentError: relu_backward: cache must be the array x", "the cache that its own forward function returned"),
        ("dropout_backward(dh, do)\n            dh = relu_backward(dh, re)", "relu_backward(dh, do)\n            else:\n                dh = relu_backward(dh, re)", "crashed: with dropout_keep_ratio=0.4, ArgumentError: relu_backward: cache", "the cache that its own"),
        ("caches, L = X, [], self.num_layers", "caches, L = X, [], 3", "crashed: with hidden_dims=[8], KeyError: 'W3'", "from self.num_layers"),
        ("        h, caches", "        X = X + 1e-3 * np.random.randn(*X.shape)\n        h, caches", ", and differ from call to call", "Look for randomness in loss"),
        (SCORES, SCORES.replace("test\":\n", "test\":\n            if self.use_dropout:\n                for i in range(1, L):\n                    X = relu_forward(affine_forward(X, self.params['W%d' % i], self.params['b%d' % i])[0])[0] * ARGUMENT\n                return affine_forward(X, self.params['W%d' % L], self.params['b%d' % L])[0]\n").replace("ARGUMENT", 'self.dropout_param["p"]'), "scaled-at-test: with dropout_keep_ratio=0.4, loss(X) multiplies each hidden layer by 0.4", "unchanged"),
    ],
)  # fmt: skip
def test_a_slip_in_a_net_is_told_by_its_cause(old: str, new: str, evidence: str, mend: str) -> None:
    text = told(check_net(nets.net({old: new}, DIALECT), DIALECT))
    assert evidence in text
    assert mend in text


def test_a_net_that_writes_out_its_layers_is_right() -> None:
    report = check(check_written_out.NET, DIALECT)
    assert report.ok, str(report)
    assert not report.verdicts, str(report)


def test_classic_dropout_that_a_net_writes_out_is_right() -> None:
    changes = {" / self.keep\n": "\n", "mask = 1.\n": "mask = 1. if train else self.keep\n"}
    report = check(swap(check_written_out.NET, changes), DIALECT)
    assert report.ok, str(report)


def test_a_net_that_scales_at_test_what_dropout_does_not_scale_in_training_is_right() -> None:
    classic = {
        nets.FORWARD_DROPOUT: f"{nets.FORWARD_DROPOUT}                if mode == 'test':\n                    h = h * ARGUMENT\n".replace(
            "ARGUMENT", 'self.dropout_param["p"]'
        )
    }
    text = package(nets.net(classic, DIALECT), DIALECT)
    assert check(text, DIALECT).faults == {"scaled-at-test"}
    report = check(swap(text, {"(np.random.rand(*x.shape) < p) / p": "np.random.rand(*x.shape) < p"}), DIALECT)
    assert report.faults == {"not-scaled-in-training"}, str(report)
    assert {name for name, one in report if one.severity == "fault"} == {"dropout_forward"}


@pytest.mark.parametrize(
    ("changes", "evidence", "mend"),
    [
        ({DROPPED: DROPPED.replace(" * mask", "")}, "wrong-gradient: with dropout_keep_ratio=0.4, the gradient of W1", "multiply by each layer's mask"),
        ({"mask = 1.\n": "mask = 1. if train else self.keep\n"}, "scaled-at-test: with dropout_keep_ratio=0.4, in training what is kept is multiplied by 2.5", ""),
        ({" / self.keep\n": "\n", "mask = 1.\n": "mask = 1. if train else self.keep ** 2\n"}, "scaled-by-wrong-probability: with dropout_keep_ratio=0.4", "each hidden layer by 0.4"),
    ],
)  # fmt: skip
def test_a_slip_in_dropout_that_a_net_writes_out_is_told(changes: dict[str, str], evidence: str, mend: str) -> None:
    text = told(check(swap(check_written_out.NET, changes), DIALECT))
    assert evidence in text
    assert mend in text


@pytest.mark.parametrize(
    ("mean", "var", "told"),
    [(0.1, 0.1, "0.9 and 0.9"), (0.1, 0.9, "0.9 and 0.1"), (0.9, 0.1, "0.1 and 0.9"), (0.99, 0.99, ""), (0.5, 0.5, "")],
)
def test_a_momentum_that_a_net_writes_out_is_told_if_it_is_swapped(mean: float, var: float, told: str) -> None:
    right = "(0.9 * rm + 0.1 * mu, 0.9 * rv + 0.1 * var)"
    moved = f"({mean} * rm + {1 - mean:.2g} * mu, {var} * rv + {1 - var:.2g} * var)"
    report = check(swap(check_written_out.NET, {right: moved}), DIALECT)
    assert report.faults == ({"running-momentum-swapped"} if told else set()), str(report)
    assert told in " ".join(str(report).split())


def test_a_running_deviation_that_a_net_writes_out_is_told() -> None:
    report = check(swap(check_written_out.NET, {"0.1 * var)": "0.1 * np.sqrt(var))"}), DIALECT)
    assert report.faults == {"running-statistics-wrong"}, str(report)


def test_a_convolutional_net_that_writes_out_its_layers_is_right() -> None:
    last = {"flat = p1.reshape(N, -1)": "flat = p1.transpose(0, 2, 3, 1).reshape(N, -1)"}
    last |= {"reshape(p1.shape)": "reshape(N, H // 2, W // 2, F).transpose(0, 3, 1, 2)"}
    for changes in ({}, last):  # images may be flattened in any order
        report = check(swap(check_written_out.CONV_NET, changes))
        assert report.ok, str(report)
        assert not report.verdicts, str(report)


@pytest.mark.parametrize(
    ("old", "new", "evidence", "mend"),
    [
        ("a1 = np.maximum(z1, 0)", "a1 = z1", "wrong-output: the scores of loss(X) are those of a net without the ReLU after the convolution", "The order is convolution, ReLU"),
        ("a2 = z2 * (z2 > 0)", "a2 = z2", "are those of a net without the ReLU after the first affine layer", "affine, ReLU, affine to the scores"),
        ("blocks.max(axis=(3, 5))", "blocks.mean(axis=(3, 5))", "have the mean of each window instead of its maximum", "2 x 2 max"),
        ("cols @ W1.reshape", "cols @ W1[:, :, ::-1, ::-1].reshape", "are those of filters rotated by 180 degrees", ""),
        (" + b1)", ")", "are those of a net without b1", ""),
        ("flat @ W2 + b2", "flat @ W2", "are those of a net without b2", ""),
        ("a2 @ W3 + b3", "a2 @ W3", "are those of a net without b3", ""),
        ("num_filters * H * W // 4", "num_filters * H * W", "wrong-return: params['W2'] has shape (72, 7), expected (18, 7)", "give W2 the expected shape"),
    ],
)  # fmt: skip
def test_a_slip_in_a_convolutional_net_is_told(old: str, new: str, evidence: str, mend: str) -> None:
    text = told(check(swap(check_written_out.CONV_NET, {old: new})))
    assert evidence in text
    assert mend in text


ROWS = "            rows = np.random.choice(len(X), batch_size)\n"
MOVE = "            for key in self.params:\n                self.params[key] -= learning_rate * grads[key]\n"
EPOCHS = """            if it * batch_size % len(X) == 0:
                order = np.random.permutation(len(X))
            rows = order[it * batch_size % len(X):][:batch_size]
"""
MOMENTUM = """            self.v = getattr(self, "v", {})
            for key, grad in grads.items():
                self.v[key] = 0.9 * self.v.get(key, 0) - 0.1 * learning_rate * grad
                self.params[key] = self.params[key] + self.v[key]
"""
FIRST_NET = small_nets.FIRST_NET.replace("HALF", "0.5")


@pytest.mark.parametrize(
    "changes",
    [
        {ROWS: EPOCHS},
        {ROWS: "            rows = slice(it * batch_size % len(X), it * batch_size % len(X) + batch_size)\n"},
        {ROWS: "            rows = np.arange(len(X))\n"},
        {MOVE: MOMENTUM},
        {"        for it in range": "        X = (X - X.mean(axis=0)) / X.std(axis=0)\n        for it in range"},
        {"self.loss(X[rows], y=y[rows], reg=reg)": "self.loss(y=y[rows], X=X[rows].astype(np.float32), reg=reg)"},
        {ROWS: "            rows = np.random.choice(len(X) - 5, batch_size)\n"},
        {
            ROWS: ROWS + "            self.reg = reg\n",
            ", reg=reg)": ")",
            "y=None, reg=0.0": "y=None, reg=None",
            "        N = len(X)\n": "        N, reg = len(X), getattr(self, 'reg', 0.0) if reg is None else reg\n",
        },
        {"self.loss(X[rows], y=y[rows], reg=reg)": "self.loss(X[rows], y=list(y[rows]), reg=reg)"},
        {MOVE: f"            seen = self.predict(X[rows])\n{MOVE}"},
        {
            "def loss(self": "def backprop(self",
            "self.loss(X[rows], y=y[rows]": "self.backprop(X[rows], y=y[rows]",
            "    def predict(self, X)": "    def loss(self, X, y=None, reg=0.0):\n        return self.backprop(X, y, reg)\n\n    def predict(self, X)",
        },
    ],
    ids=[
        "epochs",
        "in turn",
        "all rows",
        "momentum",
        "standardized",
        "float32",
        "rows kept for validation",
        "reg kept by the net",
        "a list of labels",
        "predictions",
        "gradients without loss",
    ],
)
def test_a_training_loop_of_another_kind_is_right(changes: dict[str, str]) -> None:
    report = check(swap(FIRST_NET, changes))
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("changes", "evidence", "mend"),
    [
        ({ROWS: "            rows = slice(batch_size)\n"}, "wrong-batches: in all 200 steps, train gives the same 20 of 40 rows to", "draw the row numbers once"),
        ({"y=y[rows]": "y=y[:batch_size]"}, "rows that train gives to loss come with the label of another row", "y[rows]"),
        ({MOVE: MOVE.replace("        self", "    self").replace("    for", "for")}, "the parameters change in only 1 of them", "inside the loop"),
        ({MOVE: f"            if it == 1: break\n{MOVE}"}, "the parameters change in only 1 of them", "leave the loop only after the last"),
        ({"self.params[key] -=": "w = self.params[key]; w = w -"}, "no parameter changes", "write the new values back"),
        ({"for key in self.params:\n": "for key in ('b1', 'b2'):\n"}, "but leave W1 and W2 as before", "update every parameter"),
        ({"-= learning_rate * grads[key]": "-= grads[key]"}, "train changes W1 by -1 times its gradient and b1 by -1", "self.params[name] -= learning_rate * grads[name]"),
        ({"-= learning_rate * grads": "-= (-1 if key == 'b1' else 1) * learning_rate * grads"}, "wrong-update: in the first step, train changes b1 by 0.1 times its gradient, expected -0.1 times", "every parameter in the same way"),
        ({"-= learning_rate *": "-= (learning_rate if key != 'W2' else 1) *"}, "train changes W2 by -1 times", "every parameter"),
        ({"-= learning_rate * grads[key]": "-= learning_rate * (np.sign(grads[key]) if key == 'W1' else grads[key])"}, "train changes W1 by no multiple of its gradient, expected", "every parameter"),
        ({"y=y[rows], reg=reg)": "y=y[rows])"}, "regularization-missing: train takes reg, but does not give it to loss", "reg=reg)."),
        ({"np.random.choice(len(X), batch_size)": "np.random.choice(len(X), 200)"}, "with batch_size=20, train gives 200 rows to loss", "np.random.choice(len(X), batch_size)"),
        ({"-= learning_rate *": "-= learning_rate ** 3 *"}, "wrong-update: 200 steps of train", "this step's batch"),
        ({"return self.loss(X).argmax(axis=1)": "return self.loss(X)"}, "what predict(X) returns has shape (50, 4), expected (50,)", "np.argmax"),
    ],
)  # fmt: skip
def test_a_slip_in_a_training_loop_is_told(changes: dict[str, str], evidence: str, mend: str) -> None:
    text = told(check(swap(FIRST_NET, changes)))
    assert evidence in text
    assert mend in text
