"""Sphinx configuration of these pages, for `make docs`.  The pages load nothing from other sites."""

from __future__ import annotations

import gc
import os
import re
from dataclasses import fields, is_dataclass
from typing import Any

os.environ["THINNET_KERNELS"] = "0"  # Sphinx only reads docstrings, so compile nothing

import thinnet

gc.disable()  # a build keeps almost all its objects, and garbage collection took a third of its time

project = "Thinnet"
author = "The Thinnet developers"
project_copyright = "The Thinnet developers"
release = version = thinnet.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["scaling.md", "_build", "figures/*.md"]  # these tables are included in other pages
nitpicky = False  # docstrings use single backticks for arguments too

smartquotes_action = "q"  # quotation marks only; leave the dashes of --seed and the dots of (...) alone

html_theme = "furo"
html_title = "Thinnet"
html_static_path = ["_static"]
html_css_files = ["thinnet.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "friendly"
pygments_dark_style = "native"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"  # `Solver` in a docstring links to Solver
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("AnyArray", "BoolArray", "FloatArray", "IntArray", "BitsArray")}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_use_param = False  # "gamma, beta: ..." is one entry

SECTIONS = {"Args:", "Attributes:", "Raises:", "Returns:"}
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
NAMED = re.compile(r"([a-z_]+): (.*)")


def setup(app: Any) -> None:
    """Run docstrings through `readable` before napoleon gets them."""
    app.connect("autodoc-process-docstring", readable, priority=400)
    app.connect("autodoc-process-signature", with_short_types)


def with_short_types(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Show type aliases such as `FloatArray` as in the code, without Sphinx's TypeAliasForwardRef."""
    return tuple(part and ALIAS.sub(r"\1", part) for part in (signature, returned))  # type: ignore[return-value]


def readable(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep formulas as literal blocks, list named results, and list the fields of dataclasses that have help texts."""
    lines[:] = with_named_results(with_formulas(lines))
    if is_dataclass(obj) and any("help" in one.metadata for one in fields(obj)):
        lines += ["", "Args:", *(f"    {one.name}: {one.metadata['help']}." for one in fields(obj))]


def with_formulas(lines: list[str]) -> list[str]:
    """Mark formulas, which are indented paragraphs outside of sections, as literal blocks.

    >>> with_formulas(["In training", "", "    out = x", "", "and so on."])
    ['In training', '', '::', '', '    out = x', '', 'and so on.']
    """
    out: list[str] = []
    section = literal = False
    for number, line in enumerate(lines):
        indented = line.startswith("    ")
        if line and not indented:
            section = line in SECTIONS
            literal = line.endswith("::")
        elif indented and not (section or literal) and not lines[number - 1]:
            out += ["::", ""]
            literal = True
        out.append(line)
    return out


def with_named_results(lines: list[str]) -> list[str]:
    """Turn a section of named results into a list.

    >>> with_named_results(["Returns:", "    out: (N, D).", "    cache: the rest."])
    [':returns: * **out**: (N, D).', '          * **cache**: the rest.']
    """
    if "Returns:" not in lines:
        return lines
    start = lines.index("Returns:") + 1
    stop = start
    while stop < len(lines) and lines[stop].startswith("    "):
        stop += 1
    body = [line[4:] for line in lines[start:stop]]
    entries = [line for line in body if not line.startswith(" ")]
    if not all(NAMED.match(line) for line in entries):
        return lines
    listed = [f"* **{found[1]}**: {found[2]}" if (found := NAMED.match(line)) else f"  {line.strip()}" for line in body]
    return [
        *lines[: start - 1],
        f":returns: {listed[0]}",
        *(f"          {line}" for line in listed[1:]),
        *lines[stop:],
    ]
