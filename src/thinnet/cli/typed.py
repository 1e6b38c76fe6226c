"""Error messages for the command line: with options in place of arguments, or with the file that has the value."""

import argparse
import re

# Arguments whose option has a different name.
BECOMES = {
    "num_train": "sizes",
    "checkpoint_dir": "output",
    "expected": "expect",
    "data": "download",
    "factor": "decay",
}

# What to type for an argument of None.
UNSET = {
    "normalization": "none",
    "precision": "none",
    "patience": "0",
    "ema_decay": "0",
    "weight_decay_schedule": "constant",
}


def as_typed(text: str, options: argparse.Namespace) -> str:
    """An error message with arguments replaced by options as they are typed, or with the name of the config file.

    >>> options = argparse.Namespace(spelled={"batch_size": "--batch-size", "loss": "--loss"})
    >>> as_typed("batch_size must be 1 with loss='mse', got batch_size=2.", options)
    '--batch-size must be 1 with --loss mse, got --batch-size 2.'
    >>> as_typed("loss must be one of 'mse', 'svm', got loss='./my loss'.", options)
    "--loss must be one of 'mse', 'svm', got --loss ./my loss."
    >>> options.in_file = {"loss": "config.toml"}
    >>> as_typed("loss must be one of 'mse', 'svm', got 'mes'.", options)
    "In config.toml, loss must be one of 'mse', 'svm', got 'mes'."
    """
    begin = re.match(r"(\w+)(\[\d+\])? must ", text)
    name = begin[1] if begin else ""
    spelled = {
        word: options.spelled[dest] for word, dest in BECOMES.items() if dest in options.spelled
    } | options.spelled
    if name in (in_file := getattr(options, "in_file", {})):
        return f"In {in_file[name]}, {text}"
    names = "|".join(spelled)
    assigned = rf"(?<![\w(])({names})=('[^']*'|\([^)]*\)|[\w.]*\w)(?: or ('[^']*'|None))?"
    text = re.sub(assigned, lambda found: " ".join([spelled[found[1]], *_words(found)]), text)
    text = re.sub(rf"\b([Ll]eave )({names})(?= out\b)", lambda found: found[1] + spelled[found[2]], text)
    if name in spelled:
        text = text.replace(f"{name} must be None", f"{name} must be {UNSET.get(name, 'left out')}", 1)
        text = re.sub(rf"(?<=[.] )({names})(?= (?:is|multiplies)\b)", lambda found: spelled[found[1]], text)
        text = spelled[name] + text.removeprefix(name)
        text = re.sub(r"(?<![\w./-])[a-z]+_\w+(?![\w./])", lambda word: spelled.get(word[0], word[0]), text)
    return text


def _words(assignment: re.Match[str]) -> list[str]:
    """The values in name=(1, 2), name='a' or 'b', or name=None, as they are typed."""
    name, value, other = assignment.groups()
    values = [value.strip("'")] if value.startswith("'") else re.findall(r"[\w.]+", value)
    words = [*values, *(["or", other.strip("'")] if other else [])]
    return [UNSET.get(name, word) if word == "None" else word for word in words]
