"""Reports: the results of runs as one self-contained HTML page."""

from collections.abc import Sequence
from pathlib import Path

from thinnet.report.details import details
from thinnet.report.folder import find_runs
from thinnet.report.groups import group_runs
from thinnet.report.page import page
from thinnet.storage.files import write_atomically


def write_report(
    folders: Sequence[Path], output: Path | None = None, figures: Path | None = None, title: str = ""
) -> Path:
    """Write the report of runs.

    Args:
        folders: of runs, or with such folders in them.
        output: the page, or a folder that gets it as report.html; by default the first folder.
        figures: a folder in which each figure is kept as SVG too.
        title: of the page; by default the data's name.

    Returns:
        The path of the page.

    Raises:
        CheckpointError: if there is no run, or its files are damaged.
        MissingExtraError: if Jinja is not installed, or SciPy where groups of several runs are compared.
        OSError: if the page cannot be written.
    """
    groups = group_runs(find_runs(folders))
    shown = details(groups)
    title = title or "Training on " + ", ".join(dict.fromkeys(Path(group.config.data).stem for group in groups))
    output = output or folders[0]
    if output.is_dir():
        output = output / "report.html"
    output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(output, page(groups, shown, title).encode())
    if figures is not None:
        from thinnet.report.figures import save_figures

        save_figures(figures, groups, shown)
    return output
