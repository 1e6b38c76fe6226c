"""Lines of Thinnet's own in a cell's output."""

MARK = "[thinnet] "


def say(what: str, why: str) -> None:
    """One line, of what was asked for and what became of it."""
    print(f"{MARK}{what}: {why}", flush=True)
