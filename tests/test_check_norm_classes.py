"""The checker on batch and layer normalization classes as people write them."""

from __future__ import annotations

import pytest

from test_check import check

# Parameters of a given size; momentum is the weight of the old statistics.
BATCH = """
class BatchNorm:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
        self.momentum, self.eps, self.training = momentum, eps, True

    def forward(self, x):
        if not self.training:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta
        mean, self.var = x.mean(axis=0), x.var(axis=0)
        self.x_hat = (x - mean) / np.sqrt(self.var + self.eps)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
        return self.gamma * self.x_hat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.x_hat).sum(axis=0), dout.sum(axis=0)
        g = dout * self.gamma
        through = self.x_hat * (g * self.x_hat).mean(axis=0)
        return (g - g.mean(axis=0) - through) / np.sqrt(self.var + self.eps)
"""
# Parameters passed in, statistics created by the first batch, the mode as an argument.
GIVEN = """
class BatchNormalization:
    def __init__(self, gamma, beta, momentum=0.9, running_mean=None, running_var=None):
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean, self.running_var = running_mean, running_var

    def forward(self, x, train_flg=True):
        if self.running_mean is None:
            self.running_mean, self.running_var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        if not train_flg:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + 1e-6) + self.beta
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.std = np.sqrt(var + 1e-6)
        self.xn = (x - mean) / self.std
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        return self.gamma * self.xn + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = np.sum(self.xn * dout, axis=0), dout.sum(axis=0)
        dxn = self.gamma * dout
        return (dxn - dxn.mean(axis=0) - self.xn * (dxn * self.xn).mean(axis=0)) / self.std
"""
# Parameters of shape (1, D) created by the first batch; gradients returned.
LAZY = """
class LayerNorm:
    def __init__(self, eps=1e-5):
        self.eps, self.gamma, self.beta = eps, None, None

    def forward(self, x):
        if self.gamma is None:
            self.gamma, self.beta = np.ones((1, x.shape[1])), np.zeros((1, x.shape[1]))
        self.std = np.sqrt(x.var(axis=1, keepdims=True) + self.eps)
        self.x_hat = (x - x.mean(axis=1, keepdims=True)) / self.std
        return self.gamma * self.x_hat + self.beta

    def backward(self, dout):
        g, h = dout * self.gamma, self.x_hat
        dx = (g - g.mean(axis=1, keepdims=True) - h * (g * h).mean(axis=1, keepdims=True)) / self.std
        return dx, (dout * h).sum(axis=0, keepdims=True), dout.sum(axis=0, keepdims=True)
"""
OF_NEW = BATCH.replace("momentum=0.9", "momentum=0.1").replace("self.momentum * self.running", "NEW")
OF_NEW = OF_NEW.replace("(1 - self.momentum)", "self.momentum").replace("NEW", "(1 - self.momentum) * self.running")
LITERAL = BATCH.replace("(1 - self.momentum)", "0.05").replace("self.momentum * ", "0.95 * ")


RIGHT = {
    "parameters in attributes": BATCH,
    "parameters as arguments": GIVEN,
    "parameters made with the first rows": LAZY,
    "momentum of the new": OF_NEW,
    "a momentum of its own": LITERAL,
    "another epsilon": BATCH.replace("eps=1e-5", "eps=1e-3"),
    "an epsilon that must be given first": LAZY.replace("eps=1e-5", "eps"),
    "arguments after epsilon": BATCH.replace("num_features, momentum=0.9, eps=1e-5", "eps, num_features, momentum=0.9"),
    "switches called as parameters are": BATCH.replace("eps=1e-5", "eps=1e-5, scale=True, bias=True"),
    "a momentum called beta": BATCH.replace("momentum=0.9, eps", "beta=0.9, eps").replace("= momentum,", "= beta,"),
    "train() and eval()": BATCH.replace("self.training", "self.on").replace(
        "    def forward", "    def train(self): self.on = True\n    def eval(self): self.on = False\n    def forward"
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_right_classes_of_all_forms_are_right(text: str) -> None:
    report = check("import numpy as np\n" + text)
    assert report.ok, str(report)
    assert report.verdicts == set(), str(report)
    assert [one.name.partition(".")[2] for one in report.functions] == ["forward", "backward"]


FORWARD = "    def forward(self, x, train_flg=True):"
WRONG = [
    (BATCH, " - through", "", "missing-variance-term"),
    (BATCH, "g.mean(axis=0) - ", "", "missing-mean-term"),
    (BATCH, "dout.sum(axis=0)\n        g =", "dout.mean(axis=0)\n        g =", "bias-gradient-averaged"),
    (BATCH, "x.mean(axis=0), x.var(axis=0)", "x.mean(), x.var()", "wrong-axis"),
    (BATCH, "if not self.training:", "if False:", "batch-statistics-at-test"),
    (GIVEN, FORWARD, FORWARD + "\n        self.momentum = 0.2", "running-momentum-swapped"),
    (GIVEN, "np.sqrt(var + 1e-6)", "np.sqrt(var)", "epsilon-missing"),
    (LAZY, "g.mean(axis=1, keepdims=True)", "g.mean(axis=0)", "wrong-gradient"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "verdict"), WRONG)
def test_a_mistake_in_a_class_is_named(text: str, old: str, new: str, verdict: str) -> None:
    assert text.count(old) == 1
    report = check("import numpy as np\n" + text.replace(old, new))
    assert verdict in report.faults, str(report)


def test_a_class_without_a_test_mode_is_not_judged_by_it() -> None:
    text = BATCH.replace("        if not self.training:\n            return", "        unused =").replace(
        "self.training = momentum, eps, True", "self.rows = momentum, eps, 0"
    )
    report = check("import numpy as np\n" + text)
    assert report.verdicts == {"not-checked"}, str(report)
    assert "it is not clear how to call BatchNorm.forward in test mode" in str(report)


def test_a_class_without_running_statistics_is_not_judged_and_said_so() -> None:
    text = BATCH.replace("running_mean", "old_one").replace("running_var", "old_two")
    report = check("import numpy as np\n" + text)
    assert report.verdicts == {"not-checked"}, str(report)
    assert "BatchNorm has no running_mean under a usual name" in str(report)


def test_an_epsilon_outside_of_the_root_is_noted_in_a_class() -> None:
    text = BATCH.replace("np.sqrt(self.var + self.eps)", "(np.sqrt(self.var) + self.eps)")
    report = check("import numpy as np\n" + text)
    assert (report.ok, report.verdicts) == (True, {"epsilon-outside-root"}), str(report)


def test_what_is_told_of_a_class_has_the_names_of_its_attributes() -> None:
    text = BATCH.replace("running_", "moving_").replace("(1 - self.momentum) * mean", "self.momentum * mean")
    said = " ".join(f"{one.evidence} {one.mend}" for _, one in check("import numpy as np\n" + text))
    assert "self.moving_mean[4] went from 2 to" in said
    assert "bn_param" not in said
    text = text.replace("        self.moving_var = self.momentum", "        unused = self.momentum")
    said = " ".join(f"{one.evidence} {one.mend}" for _, one in check("import numpy as np\n" + text))
    assert "into self.moving_mean and self.moving_var in train mode" in said
