"""Finds columns of text that are really numbers or dates; one warning covers all columns of a kind."""

import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from thinnet.sklearn.table.kinds import NUMBER, TEXT, fix_of, kind, plain
from thinnet.targets import is_missing
from thinnet.typing import AnyArray

# Text that spells a number, perhaps with a sign, thousands separators and an exponent, unless it starts like a code.
WRITTEN = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:[,.' ]\d{3})+(?!\d)(?:[.,]\d+)?|\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?")
UNLIKE = re.compile(r"0\d|[^\W\d]|[#(]")
COMMA = re.compile(r"\d,(?!\d{3}(\D|$))")  # that is not a thousands separator
DATE = re.compile(r"(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](\d\d){1,2})([T ].*)?")
DAY_FIRST = re.compile(r"(1[3-9]|[23]\d)[-/.]|\d\d?\.(?!(1[3-9]|[23]\d)\.)")  # too large for a month; or with dots
MINUS = "\N{MINUS SIGN}"
MANY, NEARLY_ALL, LOOKED_AT = 21, 0.9, 1000  # distinct values
MOST_NAMED = 20  # columns in one warning


class Spelled(NamedTuple):
    """What a column of text looks like."""

    what: str  # "numbers", "numbers with commas", "dates", or "twins": a number that also appears as text
    where: str
    told: str  # how they are written, with an example
    fix: str


def spelled(array: AnyArray, where: str) -> Spelled | None:
    """What a column of text looks like, if nearly all of its many distinct values are numbers of one unit, or dates; or
    if the same number appears both as a number and as text."""
    known = [*dict.fromkeys(array.tolist())][:LOOKED_AT]
    texts = dict.fromkeys(value.strip() for value in known if kind(type(value)) == TEXT)
    others = dict.fromkeys(
        str(plain(value)) for value in known if kind(type(value)) == NUMBER and not is_missing(value)
    )
    values, twins = [*(texts | others)], [*filter(texts.__contains__, others)]
    numbers = [value for value in values if not UNLIKE.match(value) and len(WRITTEN.findall(value)) == 1]
    units = {WRITTEN.sub("", value).strip(f"+-{MINUS} ") for value in numbers} - {""}
    commas = " with commas" * any(map(COMMA.search, numbers))
    dates = [*filter(DATE.fullmatch, values)]
    for what, found in (("dates", dates), (f"numbers{commas}", numbers if len(units) < 2 else [])):
        if texts and len(found) >= max(MANY, NEARLY_ALL * len(values)):
            how, example = ("beside", next(iter(texts))) if others else ("written as", found[0])
            order = ", dayfirst=True" * any(map(DAY_FIRST.match, dates))
            fix = fix_of(where, what, f"pandas.to_datetime(pandas.Series({{column}}){order}).dt.year")
            if any(MINUS in value for value in numbers):
                fix = fix.replace(".astype(str)", f".astype(str).str.replace('{MINUS}', '-')")
            return Spelled(what, where, f"{what} {how} text in {where}, such as {example!r}", fix)
    if twins:
        return Spelled("twins", where, f"{twins[0]} in {where} as a number and as text", fix_of(where, "", ""))
    return None


def warn_of_spelled(found: Sequence[Spelled]) -> None:
    """Issue one warning for all columns that look alike."""
    for what in dict.fromkeys(one.what for one in found):
        first, *others = [one for one in found if one.what == what]
        names = [one.where.removeprefix("column ") for one in others]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        also = f", and likewise in {', '.join(names[:MOST_NAMED])}{more}" if names else ""
        if what == "twins":
            text = f", so as two categories. {first.fix}"
        elif names:
            text = f"; these columns are read as categories. {first.fix} Or name those that do hold categories in "
            text += "categorical_features."
        else:
            text = f"; the column is read as categories. {first.fix} Or name it in categorical_features, if it does "
            text += "hold categories."
        warnings.warn(f"X holds {first.told}{also}{text}", stacklevel=10)
