"""Where an error was raised in code under check, and which name was probably meant."""

import difflib
import linecache
import traceback
from collections.abc import Iterable
from types import FrameType, ModuleType

from thinnet.old_python import of_a_library


def location(error: BaseException) -> str:
    """Where an error was raised: the last line of the code under check, not of a library's."""
    calls = _calls(error)
    return line_of(calls[-1][0].f_code.co_filename, calls[-1][1]) if calls else "called as the courses do"


def said(error: BaseException) -> str:
    """An error's type and message, without the period after which more words could not follow."""
    return f"{type(error).__name__}: {error}".rstrip(": .\n")[:300]


def _calls(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames of the code under check in an error's traceback, each with its line."""
    calls = traceback.walk_tb(error.__traceback__)
    return [(frame, line) for frame, line in calls if not of_a_library(frame.f_code.co_filename)]


def meant(error: BaseException) -> str:
    """The question "did you mean ...?" for a missing name, if a known name is similar, else ""."""
    name, known, calls = getattr(error, "name", None) or "", list[str](), _calls(error)
    if isinstance(error, AttributeError):
        known = dir(error.obj)
    elif type(error) is NameError and calls:
        known = [*calls[-1][0].f_locals, *calls[-1][0].f_globals]
        known += [f"self.{one}" for one in dir(calls[-1][0].f_locals.get("self")) if one == name]
    close = similar(name, known, 0.75)
    return f" (did you mean {close!r}?)" if close else ""


def similar(name: str, known: Iterable[str], least: float) -> str:
    """The name most similar to this one, if the similarity is at least so large; else ""."""
    near = {one.lower().removeprefix("self."): one for one in known}
    return next((near[one] for one in difflib.get_close_matches(name.lower(), near, 1, least)), "")


def line_of(file: str, number: int) -> str:
    """A description of a line of a file."""
    name = file.replace("\\", "/").rpartition("/")[2]
    return f"in {name}, line {number}: {linecache.getline(file, number).strip()}"


def is_misspelled(error: Exception) -> bool:
    """Whether a name is wrong however the code is called: nearly another name, or one that a module lacks."""
    of_module = isinstance(error, AttributeError) and isinstance(error.obj, ModuleType)
    return of_module or bool(meant(error))
