"""Translating code written for Python 2."""

from __future__ import annotations

import ast
import sys
from typing import Any

import numpy as np
import pytest

from thinnet import python2

OLD = {
    "print 'a', 2": "print('a', 2)",
    "print 'a',": "print('a', end=' ')",
    "print >>f, 'a'": "print('a', file=f)",
    "for i in xrange(3): print i": "for i in range(3): print(i)",
    "for k, v in d.iteritems(): print k": "for k, v in d.items(): print(k)",
    "if d.has_key(1): pass": "if 1 in d: pass",
    "try: pass\nexcept IOError, e: pass": "try: pass\nexcept IOError as e: pass",
    "raise ValueError, 'x'": "raise ValueError('x')",
    "x = 0777 + 10L": "x = 0o777 + 10",
    "n = long(3)": "n = int(3)",
    "for k in d.viewitems(): pass": "for k in d.items(): pass",
    "if a <> b: pass": "if a != b: pass",
    "import cPickle as pickle": "import pickle as pickle",
    "import urllib2": "import urllib.request, urllib.error, urllib.parse",
    "f = lambda (a, b): a": "f = lambda a_b: a_b[0]",
    "from itertools import izip\nz = izip(a, b)": "\nz = zip(a, b)",
    "for i in range(2):\n\tprint i\n        print i": "for i in range(2):\n        print(i)\n        print(i)",
}


@pytest.mark.parametrize("source", OLD)
def test_old_spellings_are_known_and_translated(source: str) -> None:
    assert python2.is_old(source)
    assert python2.translate(source) == OLD[source]
    assert not python2.is_old(OLD[source])


@pytest.mark.parametrize("errors", ["IOError", "(IOError, OSError)", "socket.error"])
@pytest.mark.parametrize("name", ["e", "(number, text)"])
def test_old_names_of_errors_are_known(errors: str, name: str) -> None:
    source = f"try:\n    pass\nexcept {errors}, {name}:\n    pass"
    assert python2.is_old(source)
    assert f"except {errors} as " in python2.translate(source)


@pytest.mark.parametrize(
    "source",
    [
        "print('a', end='')",
        "xrange = range\nxrange(3)",
        "from past.builtins import xrange\nxrange(3)",
        "from functools import reduce\nreduce(f, x)",
        "def loss(x, reduce=True): return x if reduce else 2",
        "sum = lambda *long: long",
        "try: pass\nexcept OSError as unicode: unicode",
        "import pandas as pd\npd.Series().iteritems()",
        "def f(:",
        "no Python",
        "",
    ],
)
def test_todays_python_and_what_is_none_are_left_alone(source: str) -> None:
    assert not python2.is_old(source)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="before Python 3.14 these are errors of syntax")
def test_lists_of_errors_are_todays_python() -> None:
    assert not python2.is_old("try: pass\nexcept ValueError, TypeError: pass")
    assert not python2.is_old("try: pass\nexcept (ValueError, error): pass")
    assert not python2.is_old("try: pass\nexcept ValueError, errors.Wrong: pass")
    assert not python2.is_old("try: pass\nexcept ValueError, KeyError, wrong: pass")
    assert not python2.is_old("try: pass\nexcept ValueError, (KeyError, TypeError): pass")


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(SyntaxError, match="neither Python 3 nor Python 2"):
        python2.translate("def f(:")


def test_print_is_a_function_where_it_was_imported_elsewhere() -> None:
    source = "print('a', 1); xrange(2)"
    assert python2.translate(source, {"print_function"}) == "print('a', 1); range(2)"
    assert python2.translate(source) == "print(('a', 1)); range(2)"
    assert python2.future_features("from __future__ import (division, print_function)") == {
        "division",
        "print_function",
    }


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"np": np}
    exec(compile(ast.fix_missing_locations(python2.OldDivision().visit(ast.parse(source))), "", "exec"), names)
    return names


def test_whole_numbers_are_divided_as_they_were() -> None:
    names = run(
        "a = 7 / 2\nb = -7 / 2\nc = 7 / 2.0\nd = np.array([7, 8]) / 2\ne = np.array([7.0]) / 2\nf = np.int64(7) / 2"
    )
    assert [names[name] for name in "abc"] == [3, -4, 3.5]
    np.testing.assert_array_equal(names["d"], [3, 4])
    np.testing.assert_array_equal(names["e"], [3.5])
    assert names["f"] == 3


def test_a_division_in_place_stays_in_place() -> None:
    names = run("x = [7]\nx[0] /= 2\na = np.array([7, 8])\nb = a\nb /= 2\nc = np.ones(2)\nd = c\nd /= 4")
    assert names["x"] == [3]
    np.testing.assert_array_equal(names["a"], [3, 4])
    np.testing.assert_array_equal(names["c"], [0.25, 0.25])
