"""The report as one page of HTML that needs nothing else; everything in it is escaped."""

from __future__ import annotations

from html import escape

from thinnet.check.findings import Finding, FunctionReport
from thinnet.check.report import Report

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
body { color: #1b1b1b; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; overflow-wrap: anywhere; }
section { border: 1px solid #ccc; border-left: 6px solid #777; border-radius: 4px; margin: .6rem 0; }
section { padding: .5rem 1rem; }
section.right { border-left-color: #1a7f37; } section.wrong { border-left-color: #b3261e; }
h3 { margin: 0; font: 600 1rem ui-monospace, monospace; } h3 span { float: right; font-family: system-ui, sans-serif; }
dl { display: grid; grid-template-columns: 6rem 1fr; margin: .3rem 0; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
h4 { margin: .6rem 0 0; } h4.note { color: #6b5200; } h4.fault { color: #b3261e; } p { margin: .2rem 0; }
pre { background: #f4f4f4; padding: .5rem; overflow-x: auto; }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #161616; } dt { color: #aaa; } pre { background: #262626; }
  h4.note { color: #e0c060; } h4.fault { color: #ff8a80; } section { border-color: #444; }
}
"""


def page(report: Report) -> str:
    """The whole page."""
    parts = [f"<h1>Layers of {escape(report.subject)}</h1>", f"<p>{escape(report.summary)}</p>"]
    for name, reading, functions in report.files():
        parts.append(f"<h2>{escape(name)}</h2>")
        if reading.means:
            parts.append(f"<p>{escape(str(reading))}</p>")
        parts += map(_function, functions)
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.subject)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _function(one: FunctionReport) -> str:
    parts = [
        f'<section class="{one.state.replace(" ", "-")}">',
        f"<h3>{escape(one.name)} <span>{one.state}</span></h3>",
    ]
    parts += [_finding(found) for found in one.findings]
    if one.printed.strip():
        parts.append(f"<details><summary>printed</summary><pre>{escape(one.printed)}</pre></details>")
    return "\n".join([*parts, "</section>"])


def _finding(one: Finding) -> str:
    rows = "".join(f"<dt>{word}</dt><dd>{escape(text)}</dd>" for word, text in one.rows)
    note = " (a note)" if one.severity == "note" else ""
    return f'<h4 class="{one.severity}">{escape(one.verdict)}{note}</h4>\n<p>{escape(one.cause)}</p>\n<dl>{rows}</dl>'
