"""What all commands share: the same options, the nearest name for an unknown one, and meaningful exit statuses."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thinnet import cli, kernels
from thinnet.config import Config
from thinnet.errors import MissingExtraError

QUICK = ["--num-train", "60", "--hidden-dims", "5", "--epochs", "1", "--batch-size", "20"]


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and all its subparsers."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from commands(below)


ALL = {command.prog: command for command in commands(cli.parser())}


@pytest.mark.parametrize("name", ALL)
def test_help_has_an_example_that_can_be_parsed(name: str) -> None:
    text = ALL[name].format_help()
    assert "None" not in text
    assert text.count("(default:") == len(re.findall(r"\(default:[^)]", text))
    lines = re.findall(r"(?:example:|^) +thinnet (.+)$", ALL[name].epilog or "", re.MULTILINE)
    assert lines, text
    for line in lines:
        cli.parser().parse_args(line.split())


@pytest.mark.parametrize(
    "name", [name for name in ALL if " experiment " in name or name.endswith((" train", " resume"))]
)
def test_whatever_takes_long_can_be_quiet_or_json(name: str) -> None:
    assert {"--quiet", "--json"} <= set(ALL[name]._option_string_actions)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "--droput", "0.5"], "thinnet train: error: unknown option --droput. Did you mean '--dropout'?"),
        (["train", "--update-rule", "sgd"], "unknown option --update-rule. Did you mean '--optimizer'?"),
        (["train", "--lr", "0.1"], "unknown option --lr. Did you mean '--learning-rate'?"),
        (["experiment", "dropout", "--rate-s", "0"], "unknown option --rate-s. Did you mean '--rates'?"),
        (["report", "run", "--figure-s", "x"], "unknown option --figure-s. Did you mean '--figures'?"),
        (["train", "--epoch", "2"], "unknown option --epoch. Did you mean '--epochs'?"),
        (["train", "--epoch=2"], "unknown option --epoch. Did you mean '--epochs'?"),
        (["train", "--live", "99999"], "must be a port from 0 to 65535, got '99999'"),
        (["train", "--live", "-1"], "must be a port from 0 to 65535, got '-1'"),
        (["resume", "--live", "runs/first"], "got 'runs/first'. For any free port, put the option last."),
        (["trian"], "thinnet: error: COMMAND must be one of 'train', 'resume', 'data', "),
        (["trian"], "'check', got 'trian'. Did you mean 'train'?"),
        (["experiment", "droput"], "Did you mean 'dropout'?"),
        (["train", "--schedule", "cosin"], "Did you mean 'cosine'?"),
        (["experiment", "cifar10-fc", "--seed", "-1"], "must be a whole number of at least 0, got '-1'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    command: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(command)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_wrong_option_is_answered_in_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", "--droput", "0.5"])
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "thinnet train: error: unknown option --droput. Did you mean '--dropout'?",
        "See: thinnet train --help",
    ]


def test_a_folder_as_config_is_refused_with_the_file_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--config", str(tmp_path), "--output", str(tmp_path / "run")]) == 2
    assert "must be a TOML file, got a folder. Name the config.toml of a run." in capsys.readouterr().err


def test_the_config_of_a_run_that_was_compared_repeats_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, own = tmp_path / "config.toml", tmp_path / "own.toml"
    file.write_text(Config(num_train=50, hidden_dims=(5,), epochs=1, dropout_mask="batch", seed=0).to_toml())
    own.write_text('hidden_dims = [5]\ndropout_mask = "batch"\n')
    train = ["train", "--quiet", "--config"]
    assert cli.main([*train, str(file), "--output", str(tmp_path / "run")]) == 0
    assert Config.from_toml(tmp_path / "run" / "config.toml").dropout_mask == "batch"
    for more in ([str(file), "--scaling", "unscaled"], [str(own)]):
        assert cli.main([*train, *more, "--output", str(tmp_path / "other")]) == 2
        assert "must be left out with" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["report.html", "dropout.svg"])
@pytest.mark.parametrize("folder", [False, True])
def test_an_experiment_does_not_begin_where_it_would_replace_another_file(
    name: str, folder: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / name
    if folder:
        place.mkdir()
    else:
        place.write_text("<p>mine</p>")
    assert cli.main(["experiment", "dropout", "--quiet", "--output", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    came = "is a folder" if folder else "is from elsewhere"
    assert f"output must be a folder without another {name}, got {place}, which {came}" in told
    assert told.endswith("Name another folder.\n")
    assert [*tmp_path.iterdir()] == [place]


def test_too_little_memory_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 4 PiB")

    monkeypatch.setattr("thinnet.runs.load", no_room)
    assert cli.main(["train", "--output", str(tmp_path / "run"), *QUICK]) == 2
    assert capsys.readouterr().err == "thinnet: error: Unable to allocate 4 PiB\n"


@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_has_seen_enough_is_no_error_and_the_work_goes_on(buffered: bool, tmp_path: Path) -> None:
    """Standard output is a pipe whose other end is closed."""
    train = ["train", "--output", str(tmp_path / "run"), *QUICK]
    code = f"import sys; sys.stdin.read(); from thinnet import cli; sys.exit(cli.main({train}))"
    pipe = subprocess.PIPE
    environment = os.environ | {"PYTHONUNBUFFERED": "" if buffered else "1", kernels.SWITCH: "0"}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.communicate("")[1] == ""
    assert process.returncode == 0
    assert (tmp_path / "run" / "result.json").is_file()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no disk that is always full")
def test_a_full_disk_is_an_error_in_words() -> None:
    command, environment = [sys.executable, "-m", "thinnet", "data"], os.environ | {"PYTHONUNBUFFERED": ""}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("thinnet: error: the system refused to read or write (No space left on device).")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("extras", "named"),
    [
        (["a"], r"the package 'none_a', which is not inst"),
        (["a", "b"], r"the packages 'none_a', 'none_b', which are not"),
    ],
)
def test_missing_packages_are_named(extras: list[str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.experiments, "PACKAGES", {"a": ["none_a"], "b": ["none_b"]})
    with pytest.raises(MissingExtraError, match=named):
        cli.experiments.check_extras(*extras)


def test_a_download_is_told_as_json_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("thinnet.data.catalog.download", lambda name: tmp_path / name)
    assert cli.main(["data", "--download", "cifar10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cifar10": {"found": str(tmp_path / "cifar10")}}


def test_the_report_is_told_in_the_form_that_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, page = str(tmp_path / "run"), str(tmp_path / "run" / "report.html")
    assert cli.main(["train", "--output", run, *QUICK, "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["report", run, "--json", "--output", run]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": page}
    assert cli.main(["report", run, "--quiet"]) == 0
    assert capsys.readouterr().out == f"{page}\n"


def test_a_quiet_sweep_shows_no_bar_even_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["experiment", "masks", "--seeds", "1", "--hidden-dims", "5", "--epochs", "1", "--output", str(tmp_path)]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main([*command, "--json"]) == 0
    done = capsys.readouterr()
    assert done.err == ""
    assert len(json.loads(done.out)["groups"]) == 2


def test_what_a_script_printed_before_a_command_stays_before() -> None:
    code = "print('before'); from thinnet.cli import main; main(['data'])\nprint('behind')"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("before", "behind")
    assert len(lines) > 2
