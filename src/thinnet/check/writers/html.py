"""The report as a self-contained HTML page; all text in it is escaped."""

from html import escape
from importlib import resources

from thinnet.check.findings import Finding, FunctionReport
from thinnet.check.report import Report


def page(report: Report) -> str:
    """The whole page."""
    parts = [f"<h1>Layers of {escape(report.subject)}</h1>", f"<p>{escape(report.summary)}</p>"]
    for name, convention, functions in report.files():
        parts.append(f"<h2>{escape(name)}</h2>")
        if convention.means:
            parts.append(f"<p>{escape(str(convention))}</p>")
        parts += map(_function, functions)
    body = "\n".join(parts)
    style = resources.files("thinnet.check.writers").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="generator" content="thinnet check">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.subject)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _function(function: FunctionReport) -> str:
    told = f"{function.state}, {function.place}" if function.place else function.state
    parts = [
        f'<section class="{function.state.replace(" ", "-")}">',
        f"<h3>{escape(function.name)} <span>{told}</span></h3>",
    ]
    parts += [_finding(found) for found in function.findings]
    if function.printed.strip():
        parts.append(f"<details><summary>printed</summary><pre>{escape(function.printed)}</pre></details>")
    return "\n".join([*parts, "</section>"])


def _finding(finding: Finding) -> str:
    rows = "".join(f"<dt>{word}</dt><dd>{escape(text)}</dd>" for word, text in finding.details)
    note = " (a note)" if finding.severity == "note" else ""
    heading = f'<h4 class="{finding.severity}">{escape(finding.verdict)}{note}</h4>'
    return f"{heading}\n<p>{escape(finding.cause)}</p>\n<dl>{rows}</dl>"
