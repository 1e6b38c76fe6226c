"""Recognizes source code written for Python 2 and translates it to Python 3.

The syntax is translated by the fixers of `fissix`, a maintained fork of lib2to3; line numbers do not change.  Integer
division, which shows only at run time, is rewritten in the syntax tree by `OldDivision`.
"""

import ast
import functools
import re
from typing import Any

import numpy as np

from thinnet.errors import require

# Fixers that would add a line (for reduce, reload, intern) are left out: `restore_names` restores those names.
FIXERS = str.split(
    "basestring buffer dict except exec execfile filter funcattrs getcwdu has_key imports input itertools "
    "itertools_imports long map metaclass methodattrs ne next nonzero numliterals paren print raise raw_input "
    "renames repr standarderror sys_exc throw tuple_params types unicode urllib xrange zip"
)
NAMES = {"xrange", "raw_input", "unicode", "basestring", "unichr", "execfile", "reduce", "long"}
METHODS = {"iteritems", "iterkeys", "itervalues", "viewitems", "viewkeys", "viewvalues", "has_key"}
MODULES = {"cPickle", "StringIO", "cStringIO", "urllib2", "Queue", "ConfigParser", "HTMLParser", "Tkinter"}
MODULES |= {"__builtin__", "izip", "imap", "ifilter", "izip_longest"}  # the last four are in itertools
BRIDGES = {"six", "past", "future"}  # packages that let one code base support both
FUTURE = re.compile(r"^[ \t]*from[ \t]+__future__[ \t]+import[ \t]+(.+)$", re.MULTILINE)


def future_features(source: str) -> set[str]:
    """The features that the code imports from ``__future__``.

    >>> sorted(future_features("from __future__ import division, print_function"))
    ['division', 'print_function']
    """
    return {name for line in FUTURE.findall(source) for name in re.findall(r"\w+", line)}


def is_old(source: str) -> bool:
    """Whether code is Python 2: it parses as Python 2 but not as Python 3, or uses names that only Python 2 has.

    >>> is_old("print 'two'"), is_old("for i in xrange(3): pass"), is_old("print('three')"), is_old("no Python")
    (True, True, False, False)
    >>> is_old("from six.moves import cPickle"), is_old("try: import cPickle\\nexcept ImportError: import pickle")
    (False, False)
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        try:
            translate(source)
        except SyntaxError:
            return False
        return True
    return bool(_old_names(tree)) or any(_names_an_error(node) for node in ast.walk(tree))


def translate(source: str, features: set[str] | None = None) -> str:
    """Translate Python 2 code to Python 3, except for divisions.

    Args:
        source: Python 2 code.
        features: its ``__future__`` imports, if they are in another file; by default those in `source`.

    Raises:
        SyntaxError: if it is not Python 2 either.
        MissingExtraError: if `fissix` is not installed.

    >>> translate("print 'two', 2")
    "print('two', 2)"
    """
    features = future_features(source) if features is None else features
    error: Exception | None = None
    for printing in sorted({"print_function" in features, True}):
        tool = _tool(printing)
        try:
            translated = str(tool.refactor_string(source + "\n", "<source>"))
        except Exception as problem:  # errors of fissix's parser and tokenizer
            error = error or problem
            continue
        translated = translated.removesuffix("\n")
        try:
            ast.parse(translated)
        except TabError:
            translated = translated.expandtabs(8)
            ast.parse(translated)
        return translated
    raise SyntaxError(f"neither Python 3 nor Python 2: {error}") from error


class OldDivision(ast.NodeTransformer):
    """Gives ``a / b`` its Python 2 meaning: rounded down if both are integers.

    >>> tree = ast.fix_missing_locations(OldDivision().visit(ast.parse("a = 7 / 2; a /= 2")))
    >>> names = {}; exec(compile(tree, "", "exec"), names); names["a"]
    1
    """

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """``a / b`` becomes ``divide(a, b)``."""
        self.generic_visit(node)
        return _call(node.left, node.right, node) if isinstance(node.op, ast.Div) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """``a /= b`` becomes ``a = divide(a, b, inplace=True)``."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        value = ast.parse(ast.unparse(node.target), mode="eval").body
        call = _call(value, node.value, node)
        call.keywords = [ast.keyword("inplace", ast.Constant(True))]
        assignment = ast.copy_location(ast.Assign([node.target], call), node)
        return ast.fix_missing_locations(assignment)


def divide(a: Any, b: Any, inplace: bool = False) -> Any:
    """``a / b`` as in Python 2; if `inplace`, an array is divided in place.

    >>> divide(7, 2), divide(7.0, 2), divide(np.array([7, -7]), 2)
    (3, 3.5, array([ 3, -4]))
    """
    whole = _is_whole(a) and _is_whole(b)
    if inplace:
        if whole:
            a //= b
        else:
            a /= b
        return a
    return a // b if whole else a / b


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or np.issubdtype(getattr(value, "dtype", np.float64), np.integer)


def _call(a: ast.expr, b: ast.expr, where: ast.AST) -> ast.Call:
    """``divide(a, b)``, as an expression that needs no name in the code's own namespace."""
    function = ast.parse("__import__('thinnet.python2').python2.divide", mode="eval").body
    return ast.fix_missing_locations(ast.copy_location(ast.Call(function, [a, b], []), where))


def _old_names(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {str(node.name) for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler)}
    tried = {id(inner) for node in nodes if isinstance(node, ast.Try) for inner in ast.walk(node)}
    imported: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in node.names}
            module = getattr(node, "module", None) or ""
            if id(node) not in tried and module.partition(".")[0] not in BRIDGES:
                imported |= {module, *(alias.name for alias in node.names)}
    redirected = [node for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift)]
    loaded = {node.left.id for node in redirected if isinstance(node.left, ast.Name)} & {"print"}
    loaded |= {node.id for node in nodes if isinstance(node, ast.Name)} & NAMES - bound
    called = {node.attr for node in nodes if isinstance(node, ast.Attribute)} & METHODS
    if any(name.partition(".")[0] == "pandas" for name in imported):
        called -= {"iteritems"}  # old pandas had it too
    return loaded | called | imported & MODULES


def _names_an_error(node: ast.AST) -> bool:
    """Whether it is ``except IOError, e``, or the same with ``(number, text)`` instead of e.

    Python 3.14 accepts this syntax, but reads it as a list of exception classes.
    """
    match node:
        case ast.ExceptHandler(
            type=ast.Tuple(
                elts=[first, ast.Name(id=name) | ast.Tuple(elts=[ast.Name(id=name), *_])],
                col_offset=start,
            )
        ):
            return start == first.col_offset and name[0].islower()
    return False


@functools.cache
def _tool(printing: bool) -> Any:
    """The translator, for sources in which print is a function or a statement."""
    refactor = require("fissix.refactor", extra="check", purpose="reading Python 2")
    options = {"print_function": True} if printing else {}
    return refactor.RefactoringTool([f"fissix.fixes.fix_{name}" for name in FIXERS], options)
