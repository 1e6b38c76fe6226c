"""Columns of text that spell numbers or dates, and would do better as such: one warning of all that are alike."""

import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from thinnet.sklearn.table.kinds import NUMBER, TEXT, fix_of, kind, plain
from thinnet.targets import is_missing
from thinnet.typing import AnyArray

# What text spells: one number, perhaps with a sign, thousands apart and an exponent, unless it begins as a code does.
WRITTEN = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:[,.' ]\d{3})+(?!\d)(?:[.,]\d+)?|\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?")
UNLIKE = re.compile(r"0\d|[^\W\d]|[#(]")
COMMA = re.compile(r"\d,(?!\d{3}(\D|$))")  # which is no mark of thousands
DATE = re.compile(r"(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](\d\d){1,2})([T ].*)?")
DAY_FIRST = re.compile(r"(1[3-9]|[23]\d)[-/.]|\d\d?\.(?!(1[3-9]|[23]\d)\.)")  # no month; or as dots are used
MINUS = "\N{MINUS SIGN}"
MANY, NEARLY_ALL, LOOKED_AT = 21, 0.9, 1000  # different values
MOST_NAMED = 20  # of columns, in one warning


class Spelled(NamedTuple):
    """What a column of text spells."""

    what: str  # "numbers", "numbers with commas" or "dates"; or a number that is text, too
    where: str
    told: str  # how they are written, with an example
    fix: str


def spelled(array: AnyArray, where: str) -> Spelled | None:
    """What a column of text spells, perhaps beside numbers: nearly all of many different values numbers of one unit, or
    dates; else that a number is a number here and text there."""
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
    """Warn of columns, once of all that spell the same."""
    for what in dict.fromkeys(one.what for one in found):
        first, *others = [one for one in found if one.what == what]
        names = [one.where.removeprefix("column ") for one in others]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        also = f", and likewise in {', '.join(names[:MOST_NAMED])}{more}" if names else ""
        if what == "twins":
            text = f", so as two categories. {first.fix}"
        elif names:
            text = f"; these columns are read as categories. {first.fix} Or name those that are of categories in "
            text += "categorical_features."
        else:
            text = f"; the column is read as categories. {first.fix} Or name the column in categorical_features, if it "
            text += "is of categories."
        warnings.warn(f"X holds {first.told}{also}{text}", stacklevel=10)
