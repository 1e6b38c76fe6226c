"""Tells code for NumPy from code for another framework in a source file, without running it."""

import ast
from collections.abc import Iterable

FRAMEWORKS = set(
    str.split(
        "autograd caffe chainer cupy flax jax jittor keras lasagne mindspore minpy mlx mxnet oneflow paddle "
        "pytorch_lightning tensorflow tflearn theano tinygrad torch torchvision"
    )
)
HELPERS = {"reg_utils", "dnn_utils", "dnn_utils_v2", "init_utils", "gc_utils", "d2l"}  # other courses' own files
NUMPY = {"numpy", "scipy"}
EVERYTHING = "*"  # the name that a star import binds


def not_numpy(tree: ast.Module, subjects: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The functions and classes of a source that are for another framework, and those that may be, with reasons.

    Code that uses NumPy and no framework is code for NumPy, whatever else is in the file.  Code that uses both or, in a
    file for a framework, neither, may be for either.

    >>> text = "import torch, numpy as np\\ndef relu_forward(x): return x.clamp(0)\\ndef adam(w): return np.abs(w)"
    >>> not_numpy(ast.parse(text + "\\nones = torch.ones(3)"), ["relu_forward", "adam"])
    ({}, {'relu_forward': 'the file is written for torch; only code for NumPy is checked'})
    """
    foreign, numeric = _names(tree, FRAMEWORKS), _names(tree, NUMPY)
    foreign = {name: package for name, package in foreign.items() if name not in numeric}
    if not foreign:
        return {}, {}
    used = _used(tree) | {EVERYTHING}
    of_file = next((package for name, package in foreign.items() if name in used or not numeric), "")
    nodes = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    foreign_code, doubtful = dict[str, str](), dict[str, str]()
    for subject in subjects:
        names = _used(nodes[subject.partition(".")[0]]) if subject.partition(".")[0] in nodes else set()
        own = next((package for name, package in foreign.items() if name in names), "")
        mixed = bool(names & numeric.keys())
        if own:
            found = doubtful if mixed else foreign_code
            found[subject] = f"the code is written for {own}; only code for NumPy is checked"
        elif of_file and not mixed:
            doubtful[subject] = f"the file is written for {of_file}; only code for NumPy is checked"
    return foreign_code, doubtful


def _names(tree: ast.Module, packages: set[str]) -> dict[str, str]:
    """The names that imports from these packages bind, each with its package."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
            module = getattr(node, "module", "")
            for alias in node.names:
                root = (module or alias.name).partition(".")[0]
                if root in packages:
                    found[alias.asname or (alias.name if module else root)] = root
    return found


def _used(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
