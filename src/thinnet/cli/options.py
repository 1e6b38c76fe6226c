"""What the commands' options have in common: refusals that name the nearest option, and numbers within limits."""

from __future__ import annotations

import argparse
import math
from typing import Any, NoReturn

from thinnet.checks import nearest

HIGHEST_PORT = 65535


class Parser(argparse.ArgumentParser):
    """A parser that answers an unknown word with the nearest known one; its commands are parsers of this kind too."""

    def error(self, message: str) -> NoReturn:
        """End with what is wrong; the usage, which may fill a screen, is a command away."""
        self.exit(2, f"{self.prog}: error: {message}\nSee: {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """The options that are known and the words that are left over, among which there is no option."""
        found, left_over = super().parse_known_args(args, namespace)
        for word in left_over:
            if word.startswith("--"):
                name = word.partition("=")[0]
                self.error(f"unknown option {name}. {nearest(name, list(self._option_string_actions))}".rstrip())
        return found, left_over

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does it, with the nearest choice."""
        if action.choices is not None and value not in action.choices:
            choices = ", ".join(map(repr, action.choices))
            text = f"invalid choice: {value!r} (choose from {choices}). {nearest(value, list(action.choices))}"
            raise argparse.ArgumentError(action, text.rstrip())


def add_verbosity(command: argparse.ArgumentParser) -> None:
    """The options --quiet and --json, which exclude each other."""
    group = command.add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", help="print only the result")
    group.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")


def is_silent(options: argparse.Namespace) -> bool:
    """Whether nothing but the result is to be printed: no text on the way, and no bar."""
    return bool(options.quiet or options.json)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def natural(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    number = int(text) if text.removeprefix("-").isdecimal() else least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, got {text!r}")
    return number


def port(text: str) -> int:
    """A TCP port; 0 for any that is free."""
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(
            f"must be a port from 0 to {HIGHEST_PORT}, got {text!r}; for any free port, put the option last"
        )
    return number


def rate(text: str) -> float:
    """A rate of dropout."""
    number = _number(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"must be the fraction dropped, at least 0 and below 1, got {text!r}")
    return number


def above_0(text: str) -> float:
    """A finite number above 0."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number


def points(text: str) -> tuple[str, float]:
    """NAME=NUMBER."""
    name, _, number = text.partition("=")
    value = _number(number)
    if not name or not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be NAME=NUMBER with a number of at least 0, got {text!r}")
    return name, value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
