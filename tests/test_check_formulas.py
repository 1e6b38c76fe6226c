"""The formulas at the end of fixes in `thinnet check`: functions built from them are correct."""

from __future__ import annotations

import pytest

from test_check import check
from thinnet.check.plan import PROBES
from thinnet.check.verdicts import FORMULAS

NORMALIZATION = "return out, (x_hat, gamma, {var}, eps)"
AROUND = {  # the code before and after the formula
    "affine_forward(x, w, b)": ("", "return out, (x, w, b)"),
    "affine_backward(dout, cache)": ("x, w, b = cache", "return dx, dw, db"),
    "relu_forward(x)": ("", "return out, x"),
    "relu_backward(dout, x)": ("", "return dx"),
    "layernorm_forward(x, gamma, beta, ln_param)": (
        "eps = ln_param.get('eps', 1e-5)",
        NORMALIZATION.format(var="x.var(axis=1, keepdims=True)"),
    ),
    "layernorm_backward(dout, cache)": ("x_hat, gamma, var, eps = cache", "return dx, dgamma, dbeta"),
    "softmax_loss(x, y)": ("", "return loss, dx"),
    "svm_loss(x, y)": ("", "return loss, dx"),
    "sgd(w, dw, config=None)": ("config = config or {}; learning_rate = config.setdefault('learning_rate', 1e-2)", ""),
    "sgd_momentum(w, dw, config=None)": (
        "config = {'learning_rate': 1e-2, 'momentum': 0.9, **(config or {})}; "
        "learning_rate, momentum = config['learning_rate'], config['momentum']; v = config.get('velocity', 0 * w)",
        "config['velocity'] = v",
    ),
}
BATCHNORM = f"""
def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get('eps', 1e-5), bn_param.get('momentum', 0.9)
    mean, var = bn_param.get('running_mean', np.zeros(x.shape[1])), bn_param.get('running_var', np.zeros(x.shape[1]))
    if bn_param['mode'] == 'test':
        return gamma * (x - mean) / np.sqrt(var + eps) + beta, None
    bn_param['running_mean'] = momentum * mean + (1 - momentum) * x.mean(axis=0)
    bn_param['running_var'] = momentum * var + (1 - momentum) * x.var(axis=0)
    {FORMULAS["batchnorm_forward"].partition("; at test")[0]}
    {NORMALIZATION.format(var="x.var(axis=0)")}

def batchnorm_backward(dout, cache):
    x_hat, gamma, var, eps = cache
    {FORMULAS["batchnorm_backward"]}
    return dx, dgamma, dbeta
"""
RMSPROP = f"""
def rmsprop(w, dw, config=None):
    learning_rate, decay_rate, epsilon = config['learning_rate'], config['decay_rate'], config['epsilon']
    cache = config['cache']
    {FORMULAS["rmsprop"]}
    config['cache'] = cache
    return w, config
"""
ADAM = f"""
def adam(w, dw, config=None):
    learning_rate, beta1, beta2, epsilon = (config[name] for name in ('learning_rate', 'beta1', 'beta2', 'epsilon'))
    m, v, t = (config[name] for name in 'mvt')
    {FORMULAS["adam"]}
    config.update(m=m, v=v, t=t)
    return w, config
"""


def written_out(head: str) -> str:
    before, behind = AROUND[head]
    formula = FORMULAS[head.partition("(")[0]].partition(", with")[0]
    lines = [before, formula, behind or "", "" if "return" in behind else "return w, config"]
    return f"def {head}:\n" + "".join(f"    {line}\n" for line in lines if line)


@pytest.mark.parametrize(
    "text",
    [
        *("".join(map(written_out, pair)) for pair in ([*AROUND][i : i + 2] for i in range(0, len(AROUND), 2))),
        BATCHNORM,
    ],
)
def test_functions_made_of_the_formulas_are_right(text: str) -> None:
    report = check("import numpy as np\n" + text)
    assert report.ok, str(report)
    assert report.verdicts == set(), str(report)


@pytest.mark.parametrize("text", [RMSPROP, ADAM], ids=["rmsprop", "adam"])
def test_rules_made_of_the_formulas_are_right(text: str) -> None:
    defaults = "{'learning_rate': 1e-2, 'decay_rate': 0.99, 'epsilon': 1e-8, 'cache': 0 * w}"
    if "adam" in text:
        defaults = (
            "{'learning_rate': 1e-3, 'beta1': 0.9, 'beta2': 0.999, 'epsilon': 1e-8, 'm': 0 * w, 'v': 0 * w, 't': 0}"
        )
    given = f"config = {{**{defaults}, **(config or {{}})}}"
    report = check("import numpy as np\n" + text.replace("config=None):\n", f"config=None):\n    {given}\n"))
    assert report.ok, str(report)


def test_a_vague_fix_ends_with_the_formula() -> None:
    report = check("import numpy as np\ndef relu_forward(x):\n    return np.maximum(x, 0), x\n" + WRONG_BACKWARD)
    (found,) = report.functions[1].faults
    assert found.mend.endswith(f"Written out: {FORMULAS['relu_backward']}"), found


WRONG_BACKWARD = "def relu_backward(dout, x):\n    return dout * np.where(x > 1, 1, 0.3)\n"


def test_each_formula_is_of_a_function_that_is_checked() -> None:
    assert set(FORMULAS) <= set(PROBES)
