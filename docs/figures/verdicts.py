"""Makes the page of all verdicts of ``thinnet check``: ``python docs/figures/verdicts.py > docs/verdicts.md``."""

from __future__ import annotations

import sys

from thinnet.check.verdicts import GROUPS, VERDICTS


def page() -> str:
    """All verdicts by group, as Markdown."""
    lines = [
        "# The verdicts of `thinnet check`",
        "",
        "Made by `python docs/figures/verdicts.py > docs/verdicts.md`.",
        "The names are stable. A fault makes a function wrong, a note does not; some notes count as a fault where",
        "the evidence is stronger, and the other way round, as the report says. In a fix, `keep_prob` stands for the",
        "probability of keeping a unit; the report has `p` or `1 - p` in its place, where it is known.",
        "Some fixes are general; in the report, the formula of the function follows them.",
        "Where several fixes are listed, the report has the one that fits what was measured.",
        "",
    ]
    for title, group in GROUPS.items():
        lines += [f"## {title}", "", "| verdict | | cause | fix |", "| --- | --- | --- | --- |"]
        for verdict in map(VERDICTS.__getitem__, group):
            more = [("Or", mend.replace("\\1", "NAME")) for _, mend in verdict.where]
            more += [("In a net", verdict.mend_in_net)] if verdict.mend_in_net else []
            mend = " ".join([verdict.mend, *map(": ".join, more)])
            lines.append(f"| `{verdict.name}` | {verdict.severity} | {verdict.cause} | {mend} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
