"""The command line, given random words; the commands themselves do nothing."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from random import Random
from typing import Any
from unittest import mock

from thinnet import cli
from thinnet.cli import experiments

WORDS = [
    *("experiment", "course", "run", "new", "dropout", "cifar10-fc", "masks", "resume", "export", "--help"),
    *("--version", "--seeds", "--rates", "--num-train", "--epochs", "--output", "--root", "--seed", "--quiet", "--e"),
    *("--dialect", "--scaling", "--data", "--dropout-mask", "--", "-", "-x", "0", "1", "0.5", "-1", "nan", "1e999"),
    *("9" * 5000, "digits", "element", "nndl", "cs231n-2017", "unscaled", "x.ipynb", "--rates=0.5", "--epochs=", "@f"),
    *("--output=/proc/x", "", " ", "\N{SNOWMAN}", "\udcff", "--\N{SUPERSCRIPT TWO}", "\N{SUPERSCRIPT TWO}", "%s", "{}"),
]


def random_line(rng: Random) -> list[str]:
    begin = rng.choice(([], ["experiment"], ["experiment", "dropout"], ["course", "run"], ["course", "new"]))
    return [*begin, *(rng.choice(WORDS) for _ in range(rng.randrange(6)))]


class Commands:
    """The command line, with commands that do nothing."""

    def __init__(self) -> None:
        self.ran = False
        with contextlib.ExitStack() as stack:
            stubs: dict[str, Any] = {name: self._run for name in vars(cli) if name.startswith("_run_")}
            stack.enter_context(mock.patch.multiple(cli, **stubs))
            doing_nothing = {
                name: replace(experiment, run=self._run) for name, experiment in experiments.EXPERIMENTS.items()
            }
            stack.enter_context(mock.patch.dict(experiments.EXPERIMENTS, doing_nothing))
            self._parser = cli.parser()

    def _run(self, options: Any) -> int:
        self.ran = True
        return 0

    def check(self, words: list[str]) -> bool:
        """The status must be 0 or 2, without a traceback; return whether a command would have run."""
        self.ran = False
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(cli, "parser", return_value=self._parser),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                status: Any = cli.main(words)
            except SystemExit as end:
                status = end.code
        assert status in (0, 2), words
        assert (status == 2) == bool(err.getvalue()), words
        assert "Traceback" not in err.getvalue()
        return self.ran
