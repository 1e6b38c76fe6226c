"""Which functions to check, and with which probes."""

import random
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from thinnet.check import classes, dropout_functions, normalization_functions
from thinnet.check.modes import with_modes
from thinnet.check.p_convention import PConvention
from thinnet.check.probes import (
    dropout,
    dropout_backward,
    images,
    layers,
    losses,
    net,
    normalization,
    optimizers,
    small_nets,
    spatial,
    whole_net,
)
from thinnet.check.subject import Subject
from thinnet.checks import check_choice

SEED = 2014  # for the same verdicts in every check; the code's own Generators are not affected

Probe = Callable[[Subject], None]

PROBES: dict[str, Probe] = {
    "affine_forward": layers.check_affine_forward,
    "affine_backward": layers.check_affine_backward,
    "relu_forward": layers.check_relu_forward,
    "relu_backward": layers.check_relu_backward,
    "batchnorm_forward": normalization.check_batchnorm_forward,
    "batchnorm_backward": normalization.check_backward,
    "batchnorm_backward_alt": normalization.check_backward,
    "layernorm_forward": normalization.check_layernorm_forward,
    "layernorm_backward": normalization.check_backward,
    "dropout_forward": dropout.check_forward,
    "dropout_backward": dropout_backward.check_backward,
    **dict.fromkeys(dropout_functions.DROPOUT_FUNCTIONS, dropout.check_forward),
    "softmax_loss": losses.check_softmax_loss,
    "svm_loss": losses.check_svm_loss,
    "conv_forward_naive": images.check_conv_forward,
    "conv_backward_naive": images.check_conv_backward,
    "max_pool_forward_naive": images.check_max_pool_forward,
    "max_pool_backward_naive": images.check_max_pool_backward,
    "spatial_batchnorm_forward": spatial.check_batchnorm_forward,
    "spatial_batchnorm_backward": spatial.check_batchnorm_backward,
    "spatial_groupnorm_forward": spatial.check_groupnorm_forward,
    "spatial_groupnorm_backward": spatial.check_groupnorm_backward,
    **dict.fromkeys(optimizers.OPTIONS, optimizers.check),
    "FullyConnectedNet": net.check,
    "TwoLayerNet": small_nets.check,
    "ThreeLayerConvNet": partial(small_nets.check, kind=small_nets.ConvNet),
    whole_net.FORWARD: whole_net.check_forward,
    whole_net.BACKWARD: whole_net.check_backward,
}


OF_CLASSES: dict[str, Probe] = {  # in addition to the others
    **dict.fromkeys(("sigmoid_forward", "tanh_forward"), layers.check_smooth_forward),
    **dict.fromkeys(("sigmoid_backward", "tanh_backward"), layers.check_smooth_backward),
}


KINDS = ", ".join(kind.replace("_", " ") for kind in (*classes.NAMES, *classes.LOSSES))
NONE_OF_THESE = f"only classes named {KINDS} are checked, and this is none of them"


def is_known(name: str) -> bool:
    """Whether there is a probe for a function, a method or a class of this name."""
    return bool("." in name or name in PROBES or classes.net_of(name) or classes.kind_of(name) in classes.LOSSES)


def check_subject(name: str, namespace: Mapping[str, Any], convention: PConvention) -> Subject:
    """Check one function of a namespace; ``"Name.forward"`` and ``"Name.backward"`` stand for a class's methods."""
    subject = _checked(name, namespace, convention)
    owner, _, method = name.partition(".")
    changed, told = with_modes(namespace.get(owner), method or "loss") if subject.has_fault else (None, "")
    if told:
        again = _checked(name, {**namespace, owner: changed}, convention)
        before, after = ([f for f in one.findings if f.severity == "fault"] for one in (subject, again))
        gone = [f.evidence for f in before if f.verdict not in {other.verdict for other in after}]
        if gone and {f.verdict for f in after} <= {f.verdict for f in before}:
            again.when = ""
            again.report("misspelled-mode", f"{told}; with the right mode, this is gone: {gone[0]}")
            subject = again
    subject.findings.sort(key=lambda found: found.severity)  # faults before notes
    return subject


def _checked(name: str, namespace: Mapping[str, Any], convention: PConvention) -> Subject:
    class_name, dot, method = name.partition(".")
    own = name
    functions = dropout_functions.plain_functions(namespace) if name.startswith("dropout_") else namespace
    if kind := re.match("(batch|layer)norm(?=_)", name):
        functions = normalization_functions.plain_functions(namespace, kind[0])
    if name in dropout_functions.DROPOUT_FUNCTIONS:
        own, functions = "dropout_forward", dropout_functions.as_dropout_forward(namespace[name])
    elif classes.kind_of(name) in classes.LOSSES and isinstance(namespace[name], type):
        own, functions = classes.kind_of(name), classes.functions_of(name, namespace[name])
    elif dot:
        own = classes.function_of(classes.kind_of(class_name), method)
        functions = classes.functions_of(class_name, namespace[class_name])
    subject = Subject(name, functions, convention, (own,))
    random.seed(SEED)
    np.random.seed(SEED)
    if is_known(name):
        subject.run({**PROBES, **OF_CLASSES}[classes.net_of(own) or own], subject)
    else:
        subject.report("not-checked", NONE_OF_THESE)
    return subject


def check_names(argument: str, names: Iterable[str]) -> None:
    """Raise unless functions with these names can be checked; the names of classes are up to their authors."""
    for name in names:
        if not is_known(name):
            check_choice(argument, name, tuple(PROBES))


def subjects_of(names: Collection[str], methods: Mapping[str, Collection[str]]) -> list[str]:
    """What can be checked among these names, in the order of `PROBES`, and these classes with their methods' names."""
    found = [name for name in PROBES if name in names]
    for name, own in methods.items():
        if classes.kind_of(name) in classes.LOSSES:
            found += [name] if classes.methods_of(own) else []
        elif classes.kind_of(name) and classes.methods_of(own):
            found += [f"{name}.forward", f"{name}.backward"]
        elif name not in found and (
            "loss" in own if classes.net_of(name) else classes.plain_name(name) and classes.methods_of(own)
        ):
            found.append(name)
    return found
