"""Loads source code written for Python 2 or an old NumPy so that it runs; line numbers do not change."""

import ast
import contextlib
import importlib.abc
import importlib.util
import linecache
import os
import pickle
import re
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from thinnet import old_names, python2
from thinnet.errors import MissingExtraError

# Error messages of Python 3 and current NumPy for code that ran on Python 2 and its NumPy.
PYTHON_2_ERRORS = re.compile(
    r"'(float|numpy\.float64)' object cannot be interpreted|slice indices must be|only integers, slices"
    r"|of type 'float'|sequence of integers or a single integer|arrays used as indices must be of integer"
    r"|'(zip|map|filter|range|dict_keys|dict_values|dict_items)'|between instances of 'NoneType'"
    r"|'(has_key|iteritems|iterkeys|itervalues|decode|next)'|needs to be a sequence|passed as a \"sequence\""
)
OLD_NUMPY_ERRORS = re.compile(
    r"numpy boolean (negative|subtract)|inhomogeneous shape|was removed in the NumPy|not None as shape"
    r"|'numpy.ndarray' object has no attribute '(ptp|itemset|newbyteorder|tostring|setasflat)'"
    r"|unexpected keyword argument '(newshape|normed)'|positional-only arguments passed as keyword arguments: 'a'"
    r"|Calling np\.\w+\(generator\)|Unable to avoid copy"
)
RANGES = ("range", "xrange", "np.arange", "numpy.arange")
NO_NUMBER = re.compile("only 0-dimensional arrays can be converted|setting an array element with a sequence")
ONLY_PYTHON_3 = (ast.JoinedStr, ast.AnnAssign, ast.MatMult, ast.Nonlocal, ast.AsyncFunctionDef, ast.NamedExpr)
NUMPY = np.lib.NumpyVersion(np.__version__)
NEW_SHAPE = "shape" if NUMPY >= "2.1.0" else "newshape"
OLD_PACKAGES: dict[str, dict[str, dict[str, Any]]] = {
    "imp": {"imp": {"reload": importlib.reload}},  # part of Python before 3.12
    "future": {"future": {}, "future.standard_library": {"install_aliases": lambda: None}},
    "past": {"past": {}, "past.builtins": {"xrange": range, "basestring": str, "unicode": str}},
    "six": {"six": {}, "six.moves": {"xrange": range, "range": range, "cPickle": pickle, "zip": zip, "map": map}},
}
LIBRARIES = (os.path.dirname(__file__) + os.sep, sysconfig.get_path("stdlib") + os.sep)
COPY_IF_NEEDED = None if NUMPY >= "2.0.0" else False
# What was found while loading, by file, under the verdict of ``thinnet check`` that reports it: code for Python 2 or an
# old NumPy, an encoding other than the declared one, or an error after all definitions.
NOTES = ("old-python", "old-numpy", "encoding-unnamed", "import-stopped")
NOTED: dict[str, dict[str, str]] = {verdict: {} for verdict in NOTES}


class Parsed(NamedTuple):
    """Parsed source code: its syntax tree, whether it was read as Python 2, and the old NumPy usage found in it."""

    tree: ast.Module
    old: bool
    numpy: list[str]


def parse(data: bytes, path: str = "<source>", old: bool = False) -> Parsed:
    """Parse source code, as Python 2 if it is Python 2 or if `old`.

    Raises:
        SyntaxError: if it is neither Python 3 nor Python 2; it describes the original source.
        MissingExtraError: if it is Python 2, and the package that translates it is not installed.

    >>> parse(b"print 'two'").old, parse(b"print('three')").old, parse(b"np.float(3)").numpy
    (True, False, ['np.float'])
    """
    try:
        text = importlib.util.decode_source(data)
    except (SyntaxError, UnicodeError) as error:
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        before, wrong, _ = text.partition("\ufffd")
        NOTED["encoding-unnamed"][path] = (f", line {1 + before.count(chr(10))}" if wrong else "") + f": {error}"
    with warnings.catch_warnings(action="ignore"):  # old code causes many
        old = old or _is_old(text, path)
        tree = ast.parse(python2.translate(text) if old else text, path)
    if old and "division" not in python2.future_features(text):
        tree = python2.OldDivision().visit(tree)
    numpy = OldNumpy()
    return Parsed(numpy.visit(tree), old, sorted(numpy.found))


def only_python_3(tree: ast.Module) -> bool:
    """Whether the code uses syntax that Python 2 never had."""
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    typed = any(function.returns or any(arg.annotation for arg in function.args.args) for function in functions)
    return typed or any(isinstance(node, ONLY_PYTHON_3) for node in nodes)


def why_it_stops(message: str, error: BaseException | None = None) -> str:
    """The old version that the code was written for, if that explains the error, else "".

    >>> why_it_stops("TypeError: reshape() got an unexpected keyword argument 'newshape'")
    'an older NumPy'
    """
    gone = re.search(r"module 'numpy' has no attribute '(\w+)'", message)
    if error is not None and NO_NUMBER.search(message) and _of_one_element(error):
        return "an older NumPy"
    if OLD_NUMPY_ERRORS.search(message) or (gone and gone.group(1) in old_names.GONE):
        return "an older NumPy"
    return "Python 2" if NOTED["old-python"] and PYTHON_2_ERRORS.search(message) else ""


def _of_one_element(error: BaseException) -> bool:
    """Whether the failing line uses a one-element array as a number, as older versions of NumPy allowed."""
    calls = [call for call in traceback.walk_tb(error.__traceback__) if not of_a_library(call[0].f_code.co_filename)]
    frame, line = calls[-1] if calls else (sys._getframe(), 0)
    numbers: list[ast.expr] = []
    with contextlib.suppress(SyntaxError):  # it may be only part of a statement
        for node in ast.walk(ast.parse(linecache.getline(frame.f_code.co_filename, line).strip())):
            if isinstance(node, ast.Assign):
                numbers.append(node.value)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("int", "float"):
                numbers += node.args
    for number in numbers:
        with contextlib.suppress(Exception):  # it may fail itself
            found = eval(ast.unparse(number), frame.f_globals, frame.f_locals)
            if isinstance(found, np.ndarray) and found.ndim and found.size == 1:
                return True
    return False


def _is_old(text: str, path: str) -> bool:
    try:
        return python2.is_old(text)
    except MissingExtraError as missing:
        try:
            ast.parse(text, path)
        except SyntaxError as error:
            known = re.search("Missing parenth|must be parenth|leading zeros|inconsistent use of tabs", str(error))
            raise (missing if known else error) from None
        raise


class OldNumpy(ast.NodeTransformer):
    """Rewrites usage that NumPy has since renamed or made stricter, and finds names that were removed."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Record names such as ``np.float``, which `old_names.restore_names` restores; rename those of Pillow."""
        self.generic_visit(node)
        of_numpy = isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy")
        if of_numpy and node.attr in old_names.GONE:
            self.found.add(f"np.{node.attr}")
        if "Image" in (getattr(node.value, "id", ""), getattr(node.value, "attr", "")):
            node.attr = old_names.PILLOW_NAMES.get(node.attr, node.attr)
        return node

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """A list such as ``[np.arange(N), y]`` used to work as an index like a tuple; make it a tuple."""
        places = [one for one in ast.walk(node) if isinstance(one, ast.Subscript)]
        names = {one.slice.id for one in places if isinstance(one.slice, ast.Name)}
        for place in places:
            place.slice = self._index(place.slice)
        for one in ast.walk(node):
            if isinstance(one, ast.Assign) and names & {ast.unparse(target) for target in one.targets}:
                one.value = self._index(one.value)
        return self.generic_visit(node)

    def _index(self, node: ast.expr) -> ast.expr:
        parts = node.elts if isinstance(node, ast.List) else []
        if len(parts) < 2 or not any(isinstance(one, ast.Call) and ast.unparse(one.func) in RANGES for one in parts):
            return node
        self.found.add(f"{ast.unparse(node)} as an index")
        return ast.copy_location(ast.Tuple(parts, ast.Load()), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``reshape(newshape=)`` is now ``shape=``, ``array(copy=False)`` could copy; pickles may be from Python 2."""
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in ("zeros", "ones", "empty") and node.args and ast.unparse(node.args[0]) == "None":
            node.args[0] = ast.copy_location(ast.Tuple([], ast.Load()), node.args[0])
            self.found.add(f"{name}(None)")
        for keyword in node.keywords:
            never = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            if name == "reshape" and keyword.arg == "newshape":
                keyword.arg = NEW_SHAPE
                self.found.add("newshape=")
            elif name == "array" and keyword.arg == "copy" and never:
                keyword.value = ast.copy_location(ast.Constant(COPY_IF_NEEDED), keyword.value)
                self.found.add("copy=False")
            elif name == "set_printoptions" and keyword.arg == "threshold" and _is_nan(keyword.value):
                keyword.value = ast.copy_location(ast.Constant(sys.maxsize), keyword.value)
                self.found.add("threshold=np.nan")
        if re.fullmatch(r"c?[pP]ickle\.loads?", ast.unparse(node.func)) and not node.keywords:  # Python 2 byte strings
            node.keywords = [ast.keyword("encoding", ast.Constant("latin1"))]
        return ast.fix_missing_locations(node)


def _is_nan(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2].lower() in ("nan", "'nan'", "float('nan')")


def _sign_of_python_2(data: bytes, path: str) -> str:
    """Where and why Python 3 rejects the code; an empty string if it does not."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(data, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line, why = getattr(error, "lineno", None), getattr(error, "msg", str(error))
        return f", line {line}: {why}" if line else f": {why}"
    return ""


class Loader(SourceFileLoader):
    """Loads source code with `parse`, ignoring any compiled file."""

    old = False  # whether to read all source code as Python 2
    tell: Callable[[str], object] = str  # called with the path of each file read as Python 2
    script = ""  # the file that may fail after its last definition; its definitions are kept

    def exec_module(self, module: ModuleType) -> None:
        try:
            super().exec_module(module)
        except ImportError:  # a missing module may get a stand-in
            raise
        except (Exception, SystemExit) as error:
            body = parse(self.get_data(self.path), self.path).tree.body
            defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            if self.path != Loader.script or not defined <= vars(module).keys():
                raise
            NOTED["import-stopped"][self.path] = f": {type(error).__name__}: {error}"

    def get_code(self, fullname: str) -> CodeType:
        data = self.get_data(self.path)
        tree, old, numpy = parse(data, self.path, Loader.old)
        if old:
            NOTED["old-python"][self.path] = _sign_of_python_2(data, self.path)
            Loader.tell(self.path)
        if numpy:
            NOTED["old-numpy"][self.path] = f": {', '.join(numpy)}"
        with warnings.catch_warnings(action="ignore"):
            code: CodeType = compile(tree, self.path, "exec", dont_inherit=True)
        return code


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules under one folder and loads them with `parse`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.origin or not isinstance(spec.loader, SourceFileLoader):
            return None
        if self.root not in Path(spec.origin).resolve().parents or of_a_library(spec.origin):
            return None
        spec.loader = Loader(spec.name, spec.origin)
        return spec


def of_a_library(file: str) -> bool:
    """Whether a file belongs to Python, an installed package or Thinnet, rather than to the user.

    Code compiled from Cython names its source file without a folder of this machine, as numpy.random does.
    """
    return (
        file.endswith(".pyx")
        or file.startswith(("<frozen", *LIBRARIES))
        or "site-packages" in file
        or "dist-packages" in file
    )


def install(root: Path, old: bool = False) -> None:
    """Load the modules under `root` this way from now on, all as Python 2 if `old`."""
    sys.dont_write_bytecode = True
    old_names.restore_names()
    _bring_packages()
    Loader.old = old
    sys.meta_path.insert(0, Finder(root))


def _bring_packages() -> None:
    """Provide stand-ins for packages that helped one code base support both Python 2 and 3."""
    for package, modules in OLD_PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            for name, names in modules.items():
                sys.modules[name] = made = ModuleType(name)
                vars(made).update(names, __path__=[])
                parent, _, child = name.rpartition(".")
                if parent:
                    setattr(sys.modules[parent], child, made)
