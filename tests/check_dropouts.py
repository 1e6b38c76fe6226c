"""Dropout sources for testing the checker: correct ones, and the changes that cause each fault."""

from __future__ import annotations

from check_sources import swap

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

# The verdict and the replacements; each row leads to this one fault and no other.
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
    (
        "mask-shared-across-batch",
        {"np.random.rand(*x.shape)": "np.random.rand(*x.shape).repeat(2, axis=-1)[..., : x.shape[-1]]"},
    ),
    ("mask-shared-across-batch", {"np.random.rand(*x.shape)": "np.resize(np.random.rand(60, *x.shape[1:]), x.shape)"}),
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
    ("wrong-gradient", {BACK: "return dout * mask * np.inf"}),
    ("wrong-gradient", {BACK: "return 0 * dout * mask"}),
    ("wrong-return", {BACK: "return dout * mask, None"}),
    ("shape-changed", {BACK: "return (dout * mask).ravel()"}),
    ("same-mask-every-call", {BACK: "np.random.seed(3); return dout * mask"}),
    ("dtype-changed", {APPLY: "out = (x * mask).astype(np.float16)"}),
    ("values-changed", {APPLY: "out = x * mask * np.inf"}),
    ("values-changed", {AT_TEST: "        out = np.maximum(x, 0.1 * x)\n"}),
    ("scaled-by-wrong-probability", {"< KEEP) / KEEP": "< KEEP) * 1.0", AT_TEST: "        out = x * (1 - KEEP)\n"}),
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

# Changes that lead to a note, in correct code.
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


def dropout(changes: dict[str, str], means: str, doc: str = "") -> str:
    """The source of a dropout file in the dialect where p is the probability of keeping or of dropping."""
    text = swap(DROPOUT, changes).replace("KEEP_OF_CACHE", KEEP[means].replace("p", 'dropout_param["p"]'))
    if "(mode, mask)" in text:
        text = text.replace('dropout_param["p"]))', "p))")
    if doc:
        text = text.replace("    p, mode =", f'    """{doc}"""\n    p, mode =', 1)
    return text.replace("KEEP", KEEP[means])
