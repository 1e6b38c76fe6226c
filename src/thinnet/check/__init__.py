"""Say exactly what is wrong with someone's layers.

`check_path` runs the code of a file or folder in child processes; `check_layers` checks functions that already exist.
Both return a `Report` of named verdicts, each with what was measured and how to fix it.
"""

from thinnet.check.api import check_layers, check_path
from thinnet.check.findings import Finding, FunctionReport
from thinnet.check.p_convention import PConvention
from thinnet.check.report import Report
from thinnet.check.runner import Limits
from thinnet.check.verdicts import VERDICTS, Verdict

__all__ = [
    "VERDICTS", "Finding", "FunctionReport", "Limits", "PConvention", "Report", "Verdict", "check_layers",
    "check_path",
]  # fmt: skip
