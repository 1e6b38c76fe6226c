"""Imports that worked only where a notebook was written: from a folder on Drive, or in a file of a package."""

import ast
from importlib.util import find_spec

from thinnet.course.dialects import active, is_active
from thinnet.course.finder import PACKAGES
from thinnet.course.saying import say

DRIVES = ("drive", "gdrive", "MyDrive", "content")


class Elsewhere(ast.NodeTransformer):
    """Lets them import the same module from here, if there is one, and say so.

    A folder on Drive is the notebook's own one. A relative import means that the cell holds a file of the course's
    package, pasted.

    >>> ast.unparse(Elsewhere().visit(ast.parse("from drive.MyDrive.hw4.thinnet.course.layers import *")))
    [thinnet] from drive.MyDrive.hw4.thinnet.course.layers import: there is no such module; importing from thinnet.course.layers
    'from thinnet.course.layers import *'
    """  # noqa: E501

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Replace the module, if it is one of those and found here."""
        found = next(filter(_exists, _candidates(node)), "")
        if not found:
            return node
        why = "no package to look in" if node.level else "there is no such module"
        say(f"from {'.' * node.level}{node.module or ''} import", f"{why}; importing from {found}")
        return ast.copy_location(ast.ImportFrom(found, node.names, 0), node)


def _candidates(node: ast.ImportFrom) -> list[str]:
    """What the module may be called here, the likeliest first."""
    name = node.module or ""
    if node.level:
        first = (active().dialect.package, *PACKAGES) if is_active() else PACKAGES
        return [f"{package}.{name}".rstrip(".") for package in first]
    parts = name.split(".")
    return [".".join(parts[i:]) for i in range(1, len(parts))] if parts[0] in DRIVES and not _exists(parts[0]) else []


def _exists(name: str) -> bool:
    """Whether there is such a module; true, too, if looking for it says what is wrong: the import will say so."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
    except Exception:
        return True
