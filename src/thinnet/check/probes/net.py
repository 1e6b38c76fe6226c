"""FullyConnectedNet: scores, gradients, initial values, penalty, dropout and normalization."""

from functools import partial
from typing import Any

from thinnet.check.probes import net_harness, small_nets
from thinnet.check.probes.net_dropout import check_combined, check_dropout, usable_dropout
from thinnet.check.probes.net_harness import DROPOUT_ARGUMENTS, NORMALIZATION_ARGUMENTS, NetHarness, Options, P, Probe
from thinnet.check.probes.net_normalization import check_normalization
from thinnet.check.probes.net_penalty import check_penalty
from thinnet.check.probes.net_plain import check_depths, check_initial_values, check_plain
from thinnet.check.subject import Subject, arguments_of


class FullNet(NetHarness):
    """The net of any depth, with dropout and normalization."""

    def construct(self, hidden: list[int], options: Options) -> Any:
        """Call the constructor, which must not change the list of hidden units."""
        given = list(hidden)
        net = super().construct(given, options)
        if given != hidden:
            self.subject.report("input-mutated", f"the constructor changed the list {hidden} to {given}")
        return net

    def probes(self) -> list[Probe]:
        """All probes.  A normalization with a fault is not checked again with dropout."""
        faultless: list[Options] = [{}]

        def normalized(options: Options) -> None:
            if check_normalization(self, options):
                faultless.append(options)

        def combined(options: Options) -> None:
            if options in faultless:
                dropout = usable_dropout(self)
                for more in ({}, *dropout):
                    check_penalty(self, {**options, **more})
                for more in dropout:
                    check_combined(self, more, options)

        plain = [partial(check, self) for check in (check_plain, check_depths, check_initial_values, check_dropout)]
        normalizations = [partial(normalized, options) for options in self.normalizations]
        return [*plain, partial(combined, {}), *normalizations, *(partial(combined, o) for o in self.normalizations)]


def check(subject: Subject) -> None:
    """Check the net on its own layers; if something is wrong, on right ones too."""
    owner = net_harness.class_of(subject)
    normalizations = {name: None if name == "normalization" else True for name in NORMALIZATION_ARGUMENTS}
    arguments = arguments_of(owner, [2], dict.fromkeys(DROPOUT_ARGUMENTS, P), normalizations)
    if {"hidden_dim", "hidden_size"} & {*arguments}:
        small_nets.check(subject)
        return
    if "device" in arguments or ("input_dim" not in arguments and "hidden" not in "".join(arguments[:1])):
        raise subject.stop("not-checked", f"its constructor takes ({', '.join(arguments)}), as in another course")
    net_harness.evaluate(subject, partial(FullNet, subject, owner, arguments))
