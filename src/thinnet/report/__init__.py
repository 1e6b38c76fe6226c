"""Reports: the results of runs as one self-contained HTML page."""

from collections.abc import Sequence
from pathlib import Path

from thinnet.arguments import known_arguments
from thinnet.checks import check_path
from thinnet.report.details import details
from thinnet.report.figures import figures_of
from thinnet.report.folder import find_runs
from thinnet.report.groups import Group, group_runs
from thinnet.report.page import Details, page
from thinnet.storage.files import check_page, check_place, make_folder, write_atomically
from thinnet.typing import AnyPath


@known_arguments
def write_report(
    folders: Sequence[AnyPath], output: AnyPath | None = None, figures: AnyPath | None = None, title: str = ""
) -> Path:
    """Write a report on runs.

    Args:
        folders: folders of runs, or folders that contain them.
        output: the HTML file to write, in an existing folder; or a folder, if the name does not end in .html, for
            report.html; by default the first of `folders`.
        figures: a folder for each figure as an SVG file; it is created if missing.
        title: the title of the page; by default the name of the data.

    Returns:
        The path of the page.

    Raises:
        CheckpointError: if there is no run, or its files are damaged.
        MissingExtraError: if Jinja is not installed, or SciPy, which is needed to compare groups of several runs.
        OSError: if the page or a figure cannot be written, or would replace a file that is none of a report; then
            nothing is written.
    """
    groups = group_runs(find_runs(folders))
    shown = details(groups)
    title = title or "Training on " + ", ".join(dict.fromkeys(Path(group.config.data).stem for group in groups))
    output = _page_at(check_path("output", output or folders[0]))
    text = page(groups, shown, title).encode(errors="replace")  # of names that are no Unicode
    pictures = {} if figures is None else _pictures_in(check_path("figures", figures), groups, shown)
    write_atomically(output, text)
    for file, picture in pictures.items():
        write_atomically(file, picture.encode(errors="replace"))
    return output


def _pictures_in(folder: Path, groups: Sequence[Group], shown: Sequence[Details]) -> dict[Path, str]:
    """What to write to a folder of figures, which is made; OSError where it cannot, or would replace other files."""
    pictures = {folder / name: picture for name, picture in figures_of(groups, shown).items()}
    for file in pictures:
        check_page("figures", file, "thinnet report", folder=True)
    make_folder(folder)
    return pictures


def _page_at(output: Path) -> Path:
    """The file of the page; OSError where it can be none."""
    file = output / "report.html" if output.is_dir() else output
    if file.suffix != ".html":
        name = output.with_suffix(".html")
        if output.exists():
            raise NotADirectoryError(
                f"output must be the page, NAME.html, or a folder, got {output}, a file. Write {name}."
            )
        raise FileNotFoundError(
            f"output must be the page, NAME.html, or a folder that exists, got {output}. Make the folder first, or "
            f"write {name}."
        )
    check_place(file)
    check_page("output", file, "thinnet report")
    return file
