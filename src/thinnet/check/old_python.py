"""Reading sources that were written for Python 2, as far as a few spellings go; every line keeps its number."""

from __future__ import annotations

import ast
import importlib.abc
import re
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

SPELLINGS = (
    (re.compile(r"\.iter(items|keys|values)\(\)"), r".\1()"),
    (re.compile(r"(\b\w+)\.has_key\((\w+)\)"), r"(\2 in \1)"),
)
# Only for what is no Python 3 otherwise.
STATEMENTS = (
    (re.compile(r"^([ \t]*(?:.*:[ \t]+)?)print[ \t]*$", re.MULTILINE), r"\1print()"),
    (
        re.compile(r"^([ \t]*(?:[^#'\"\n]*:[ \t]+)?)print[ \t]+(?![ \t]*[(=])([^\n]*?)[ \t]*,?[ \t]*$", re.MULTILINE),
        r"\1print(\2)",
    ),
    (re.compile(r"^([ \t]*)print[ \t]+(\([^\n]*)$", re.MULTILINE), r"\1print(\2)"),
    (re.compile(r"\bexcept[ \t]+([\w.]+)[ \t]*,[ \t]*(\w+)[ \t]*:"), r"except \1 as \2:"),
    (re.compile(r"\braise[ \t]+(\w+)[ \t]*,[ \t]*([^\n]+)$", re.MULTILINE), r"raise \1(\2)"),
    (re.compile(r"<>"), "!="),
)


def parse(data: bytes, path: str = "<source>") -> tuple[ast.Module, bool]:
    """The syntax tree of a source, and whether old spellings were replaced in it.

    Raises:
        SyntaxError: if it is no Python even so; it tells of the source as it stands.

    >>> parse(b"print 'two'")[1], parse(b"print('three')")[1]
    (True, False)
    """
    text = data.decode("utf-8", "replace").lstrip("\ufeff").replace("\r\n", "\n")
    newer = text
    for pattern, replacement in SPELLINGS:
        newer = pattern.sub(replacement, newer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old code brings many about
        try:
            return ast.parse(newer, path), newer != text
        except SyntaxError as error:
            for pattern, replacement in STATEMENTS:
                newer = pattern.sub(replacement, newer)
            try:
                return ast.parse(newer.expandtabs(8), path), True
            except SyntaxError:
                raise error from None


class Loader(SourceFileLoader):
    """Loads a source by `parse`, past any compiled file that lies around."""

    def get_code(self, fullname: str) -> CodeType:
        tree, old = parse(self.get_data(self.path), self.path)
        if old:
            OLD.add(self.path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code: CodeType = compile(tree, self.path, "exec", dont_inherit=True)
        return code


OLD: set[str] = set()  # the files in which something was replaced


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules below one folder, and has them read by `parse`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.origin or not isinstance(spec.loader, SourceFileLoader):
            return None
        if self.root not in Path(spec.origin).resolve().parents or "site-packages" in spec.origin:
            return None
        spec.loader = Loader(spec.name, spec.origin)
        return spec


def install(root: Path) -> None:
    """Have the modules below `root` read so."""
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, Finder(root))
