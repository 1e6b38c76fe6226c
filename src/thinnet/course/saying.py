"""Thinnet's own messages in a cell's output."""

MARK = "[thinnet] "


def say(what: str, why: str) -> None:
    """Print one line: what was asked for, and what was done instead."""
    print(f"{MARK}{what}: {why}", flush=True)
