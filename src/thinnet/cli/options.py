"""What the commands' options have in common: refusals that name the nearest option, and numbers within limits."""

import argparse
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any, NoReturn

from thinnet.arguments import OTHER_WORDS
from thinnet.checks import nearest
from thinnet.config import Config


class Parser(argparse.ArgumentParser):
    """A parser that answers an unknown word with the nearest known one; its commands are parsers of this kind too.

    Options are written out: an abbreviation that is clear today may mean two of them tomorrow.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """End with what is wrong; the usage, which may fill a screen, is a command away."""
        if message.startswith("the following arguments are required") and self._subparsers is not None:
            names = [name for action in self._subparsers._group_actions for name in action.choices or ()]
            message += f". It is one of {', '.join(names)}"
        self.exit(2, f"{self.prog}: error: {message}\nSee: {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """The options that are known, and the words that are left over, of which a command allows none."""
        found, left_over = super().parse_known_args(args, namespace)
        spelled = {action.dest: option for option, action in self._option_string_actions.items()}
        found.spelled = getattr(found, "spelled", spelled)  # those of its command, where that has set them
        for word in left_over:
            if word.startswith("--"):
                name = word.partition("=")[0]
                self.error(f"unknown option {name}. {_instead_of(name, [*self._option_string_actions][2:])}".rstrip())
        for word in left_over:
            fix = f" Did you mean '--data {word}'?" if "--data" in self._option_string_actions else ""
            self.error(f"unexpected word {word!r}.{fix}")
        return found, left_over

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does it, with the nearest choice."""
        if action.choices is not None and value not in action.choices:
            choices = ", ".join(map(repr, action.choices))
            text = f"invalid choice: {value!r} (choose from {choices}). {nearest(value, list(action.choices))}"
            raise argparse.ArgumentError(action, text.rstrip())


def _instead_of(option: str, known: list[str]) -> str:
    """The question "Did you mean ...?" with the option that means the same, or is spelled alike, if there is one."""
    same = OTHER_WORDS.get(option.removeprefix("--").replace("-", "_"), ())
    options = [f"--{word.replace('_', '-')}" for word in same]
    return next((f"Did you mean {one!r}?" for one in options if one in known), nearest(option, known))


def add_field(command: Any, name: str, shown: object = "", **given: Any) -> None:
    """The option of a field of `Config`, by its name, kind, choices and help.

    Args:
        command: a parser, or a group of one.
        name: of the field.
        shown: what the help names as the default; nothing if it is empty.
        given: in place of what argparse would be told; by default an option that is not given is None.
    """
    about = next(field.metadata for field in fields(Config) if field.name == name)
    kind = (
        {"nargs": "*", "type": _width} if about["kind"] is tuple else {"type": KINDS.get(about["kind"], about["kind"])}
    )
    default = f" (default: {shown})" if shown != "" else ""
    told = {**kind, "choices": about["choices"] or None, "help": f"{about['help']}{default}", **given}
    command.add_argument(f"--{name.replace('_', '-')}", **told)


def add_verbosity(command: argparse.ArgumentParser) -> None:
    """The options --quiet and --json, which exclude each other."""
    group = command.add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", help="print only the result")
    group.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")


def is_silent(options: argparse.Namespace) -> bool:
    """Whether nothing but the result is to be printed: no text on the way, and no bar."""
    return bool(options.quiet or options.json)


def tell(options: argparse.Namespace, numbers: Mapping[str, Any], text: str) -> None:
    """Print the result in the form that was asked for."""
    print(json.dumps(numbers) if options.json else text)


def _number(kind: Callable[[str], Any], fits: Callable[[Any], bool], expected: str) -> Callable[[str], Any]:
    """What reads an option's number, and refuses one that does not fit."""

    def read(text: str) -> Any:
        with suppress(ValueError):
            value = kind(text)
            if fits(value):
                return value
        what, semicolon, fix = expected.partition(";")
        raise argparse.ArgumentTypeError(f"must be {what}, got {text!r}{semicolon}{fix}")

    return read


def _pair(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    return name, float(number)


_width = _number(int, lambda _: True, "a whole number; write a space between two: 200 100")
KINDS = {int: _number(int, lambda _: True, "a whole number"), float: _number(float, lambda _: True, "a number")}
positive = _number(int, lambda value: value >= 1, "a whole number of at least 1")
natural = _number(int, lambda value: value >= 0, "a whole number of at least 0")
port = _number(int, lambda value: 0 <= value < 2**16, "a port from 0 to 65535; for any free port, put the option last")
rate = _number(float, lambda value: 0 <= value < 1, "the fraction dropped, at least 0 and below 1")
above_0 = _number(float, lambda value: 0 < value < math.inf, "a number above 0")
points = _number(_pair, lambda pair: pair[0] and 0 <= pair[1] < math.inf, "NAME=NUMBER with a number of at least 0")
