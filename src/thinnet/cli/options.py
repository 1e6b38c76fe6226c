"""What all commands share in parsing options: errors that suggest the nearest option, and numbers with limits."""

import argparse
import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any, NoReturn

from thinnet.arguments import OTHER_WORDS
from thinnet.config import Config
from thinnet.data.catalog import CATALOG
from thinnet.spelling import nearest

# What argparse says, as patterns, and how the other errors would say it.
IN_OUR_WORDS = {
    r"argument (\S+): (must .*)": r"\1 \2",
    r"argument (\S+): expected .*": r"\1 must be followed by a value, got nothing.",
    r"argument (\S+): ignored explicit argument (.*)": r"\1 must be given without a value, got \2. Leave that out.",
    r"argument (\S+): not allowed with argument (\S+)": r"\1 must be left out with \2. Choose one of the two.",
    r"the following arguments are required: (.*)": r"\1 must be given, got nothing.",
}


class Parser(argparse.ArgumentParser):
    """A parser that suggests the nearest known word for an unknown one; its subcommands use the same class.

    Options must be written in full: an abbreviation that is unique today may be ambiguous tomorrow.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Exit with what is wrong; the usage could fill a screen, so only say how to see it."""
        for theirs, ours in IN_OUR_WORDS.items():
            message = re.sub(f"^{theirs}$", ours, message)
        about = {name: each for each in self._actions for name in (*each.option_strings, each.metavar)}
        choices = getattr(about.get(message.partition(" must be ")[0]), "choices", None)
        if choices and message.endswith("got nothing."):
            message += f" It is one of {', '.join(choices)}."
        self.exit(2, f"{self.prog}: error: {message}\nSee: {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse the options; exit with an error if any words are left over."""
        found, left_over = super().parse_known_args(args, namespace)
        spelled = {action.dest: option for option, action in self._option_string_actions.items()}
        found.spelled = getattr(found, "spelled", spelled)  # if the subcommand has set its own, keep them
        for word in left_over:
            if word.startswith("--"):
                name = word.partition("=")[0]
                self.error(f"unknown option {name}. {_instead_of(name, [*self._option_string_actions][2:])}".rstrip())
        for word in left_over:
            fix = f" Did you mean '--data {word}'?" if "--data" in self._option_string_actions else ""
            if "--download" in self._option_string_actions:
                near = nearest(word, [name for name, known in CATALOG.items() if known.download])
                fix = near.replace("Did you mean '", " Did you mean '--download ")
            self.error(f"unexpected word {word!r}.{fix}")
        return found, left_over

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As in argparse, but suggest the nearest choice."""
        if action.choices is not None and value not in action.choices:
            choices = ", ".join(map(repr, action.choices))
            text = f"must be one of {choices}, got {value!r}. {nearest(value, list(action.choices))}"
            raise argparse.ArgumentError(action, text.rstrip())


def _instead_of(option: str, known: list[str]) -> str:
    """The question "Did you mean ...?" with an option that means the same or is spelled similarly, if there is one."""
    same = OTHER_WORDS.get(option.removeprefix("--").replace("-", "_"), ())
    options = [f"--{word.replace('_', '-')}" for word in same]
    return next((f"Did you mean {one!r}?" for one in options if one in known), nearest(option, known))


def add_field(command: Any, name: str, shown: object = "", **given: Any) -> None:
    """Add the option for a field of `Config`, with the field's name, kind, choices and help.

    Args:
        command: a parser, or an argument group of one.
        name: the name of the field.
        shown: the default that the help shows; none if it is empty.
        given: overrides for the arguments to argparse; by default, an option that is not given is None.
    """
    about = next(field.metadata for field in fields(Config) if field.name == name)
    kind = (
        {"nargs": "*", "type": _width} if about["kind"] is tuple else {"type": KINDS.get(about["kind"], about["kind"])}
    )
    default = f" (default: {shown})" if shown != "" else ""
    told = {**kind, "choices": about["choices"] or None, "help": f"{about['help']}{default}", **given}
    command.add_argument(f"--{name.replace('_', '-')}", **told)


def add_verbosity(command: argparse.ArgumentParser) -> None:
    """Add the options --quiet and --json, which are mutually exclusive."""
    group = command.add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", help="print only the result")
    group.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")


def is_silent(options: argparse.Namespace) -> bool:
    """Whether to print only the result: no other text, and no progress bar."""
    return bool(options.quiet or options.json)


def tell(options: argparse.Namespace, numbers: Mapping[str, Any], text: str) -> None:
    """Print the result as text, or as JSON if that was requested."""
    print(json.dumps(numbers) if options.json else text)


def _number(kind: Callable[[str], Any], fits: Callable[[Any], bool], expected: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        with suppress(ValueError):
            value = kind(text)
            if fits(value):
                return value
        what, _, fix = expected.partition("; ")
        raise argparse.ArgumentTypeError(f"must be {what}, got {text!r}. {fix}".rstrip())

    return read


def _pair(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    return name, float(number)


def _width(text: str) -> int:
    several = re.fullmatch(r"\W?\d+(\W+\d+)+\W?", text) and "." not in text
    example = " ".join(re.findall(r"\d+", text)) if several else "200 100"
    return int(_number(int, lambda _: True, f"a whole number; Write a space between two: {example}.")(text))


KINDS = {int: _number(int, lambda _: True, "a whole number"), float: _number(float, lambda _: True, "a number")}
positive = _number(int, lambda value: value >= 1, "a whole number of at least 1")
natural = _number(int, lambda value: value >= 0, "a whole number of at least 0")
port = _number(int, lambda value: 0 <= value < 2**16, "a port from 0 to 65535; For any free port, put the option last.")
rate = _number(float, lambda value: 0 <= value < 1, "the fraction dropped, at least 0 and below 1")
above_0 = _number(float, lambda value: 0 < value < math.inf, "a number above 0")
points = _number(
    _pair,
    lambda pair: pair[0] and 0 <= pair[1] < math.inf,
    "NAME=NUMBER with a number of at least 0; Write dropout_forward=5, for example.",
)
