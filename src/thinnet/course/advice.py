"""What to do about a notebook that failed, based on its error message."""

import ast
import contextlib
import re
import symtable
import sys
from collections.abc import Collection, Sequence
from importlib.util import find_spec

from thinnet.course.finder import PACKAGES

MODULES = str.split(
    "layers layer_utils fast_layers classifiers fc_net solver optim data_utils vis_utils gradient_check"
)  # of the courses
MENDS = {  # by a pattern for the start of the failure
    r"ImportError: attempted relative import": "The cell holds a file of a package: write the package's name before "
    "the dot, or leave the import out.",
    r"(TypeError|AttributeError): .*NoneType": "Something is None: an exercise asks you to fill it in, or a function "
    "should have returned it. Do that first.",
    r"NameError: name '[Xy]_(train|val|test)' is not defined": "The handouts of some years have this slip: write "
    "data['X_test'] for X_test, and so on.",
    r"NotImplementedError|TypeError: .*'ellipsis'": "An exercise asks you to write this part. Do that first.",
    r"SystemExit": "The cell ends Python there: leave exit() out.",
    r"TypeError: The numpy boolean negative": "In older versions of NumPy, minus swapped True and False: write ~.",
    r"TypeError: numpy boolean subtract": "In older versions of NumPy, minus showed where two boolean arrays differ: "
    "write ^.",
    r"ValueError: .*inhomogeneous shape": "The parts have different lengths. Older versions of NumPy made an array of "
    "objects of them: write np.array(..., dtype=object), if you want that.",
    r"TypeError: only (0-dimensional|length-1) arrays can be|ValueError: setting an array element with a seq": "An "
    "array came in place of a number. Older versions of NumPy took one with a single element: write x.item().",
    r"\w+: .*(cannot be interpreted as an int|slice indices must be|only integers, slices|'float'|a single integer)": (
        "A whole number is needed. In Python 2, / gave one: write // to divide whole numbers."
    ),
    r"TypeError: .*'(zip|map|filter|range|dict_(keys|values|items))'": "In Python 2 that was a list: write list(...) "
    "around it.",
    r"AttributeError: 'numpy.ndarray' object has no attribute '(ptp|itemset|newbyteorder|tostring)'": "Older versions "
    "of NumPy had it: write np.ptp(x), x[i] = value, x.view(x.dtype.newbyteorder()) or x.tobytes().",
    r"AttributeError: module 'numpy(\.\w+)*' has no attribute": "Check the spelling. If an older version of NumPy had "
    "it, NumPy's release notes say what to write instead.",
    r"ValueError: Object arrays cannot be loaded": "Older versions of NumPy loaded them unasked: write "
    "np.load(..., allow_pickle=True), if you trust the file.",
    r"TypeError: arrays to stack must be passed as": "Older versions of NumPy took a generator: write a list.",
    r"\w+: .*(keyword argument|property) '?normed": "Matplotlib has renamed it: write density=True.",
    r"\w+: (module '?matplotlib|Axes|Figure|\w*Subplot).*(no attribute|keyword)|"
    r"\w+: '(DataFrame|Series)'.*no attribute|ImportError: cannot import name .* from '(matplotlib|pandas|scipy|sk)": (
        "Check the spelling. If the notebook was written for an older version of that library, its release notes say "
        "what to write instead."
    ),
    r"SyntaxError: invalid (non-printable )?character": "It was pasted from a web page or a document: type it again.",
    r"ValueError: (math domain error|expected a (nonnegative|positive) input)": "The line that is named takes a "
    "logarithm or a root of a number that has none, most often 0 or below: print the number first.",
    r"(URL|HTTP|Connection|Timeout)\w*(Error)?\b|gaierror": "The cell downloads something, and the network did not "
    "answer. If it downloads CIFAR-10, leave the cell out: the images are found without it (see thinnet data).",
    r"(AttributeError: module|ImportError: cannot import name) .*('(cs231n|nndl)\.|thinnet[/\\]course[/\\])": (
        "Check the spelling. If that module is your own, it replaces Thinnet's: add what it lacks, or remove it. "
        "If you wrote that name in a module that is not here, put it into a folder cs231n or nndl beside the notebook."
    ),
    r"KeyError: (?s:.*)-> \d+ [^\n]*\b(grads|params|config|cache|\w+_param)\b|"
    r"TypeError: (\w*Net|\w+_(forward|backward))\b.* unexpected keyword|AttributeError: '(\w*Net|Solver)' object has": (
        "Check the spelling. If the notebook was written for a net or functions of your own, put them into a folder "
        "cs231n or nndl beside it."
    ),
    r"OSError: 'seaborn": "Matplotlib has renamed these styles: write seaborn-v0_8 instead of seaborn.",
    "ImportError: Cannot load backend": "No window can open here: leave matplotlib.use(...) out.",
    r"StdinNotImplementedError": "The cell asks for input, but nobody can type here: write the answer into the cell.",
    r"FileNotFoundError.*(cifar-10-|data_batch)": "CIFAR-10 is neither there nor where Thinnet looks for it. "
    "Download it with thinnet data --download cifar10, or put it there.",
    r"ValueError: cannot reshape array of size \d+ into shape \(10000,": "The batches of CIFAR-10 that were read have "
    "other numbers of images than the official ones, 10,000 each: write -1 for 10000, or bring the official ones with "
    "thinnet data --download cifar10.",
    "the kernel did not start": "A file beside the notebook may have the name of one of Python's modules, such as "
    "types.py: rename it.",
    r"FileNotFoundError[^>]*\n-+> \d+ .*chdir\(": "The cell changes into a folder that does not exist: make the folder "
    "first, or leave the line out.",
    r"FileNotFoundError[^\n]*(/content/|drive/M|MyDrive/)": "The cell reads or saves files on Google Drive, which is "
    "not here: leave the cell out.",
    r"FileNotFoundError": "The cell reads a file that does not exist: put it at the path that is named. Or it writes "
    "one into a folder that does not exist: make the folder first.",
}
DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow"}
FRAMEWORKS = ("torch", "torchvision", "tensorflow", "keras", "jax", "mxnet", "caffe", "theano")


def advice(failure: str, source: str, cells: Sequence[ast.Module] = ()) -> str:
    r"""What to do about a known kind of failure, as a line to append to it; "" for other kinds.

    `source` is the code of all cells, and `cells` that of each, in the order of the kernel's numbers.

    >>> advice("ModuleNotFoundError: No module named 'cs682'", "from cs682.layers import *")
    '\nIf cs682 is the course under another name, run with --package cs682.'
    """
    match = re.match(r"ModuleNotFoundError: No module named '(\w+)([\w.]*)'(; '\w+' is not a package)?", failure)
    if match is None:
        return _defined_later(failure, cells) or next(
            (f"\n{mend}" for kind, mend in MENDS.items() if re.match(kind, failure)), ""
        )
    name, inside, file = match.groups()
    if file:
        return f"\nA file {name}.py hides the package {name}: give the file another name."
    if inside and find_spec(name):
        return (
            f"\n{name} is installed, but has no {inside[1:]}: the notebook was written for another version, or for a "
            f"file that is missing."
        )
    if inside and (name in PACKAGES or inside.rpartition(".")[2] not in MODULES):
        file = (name + inside).replace(".", "/") + ".py"
        return f"\nThinnet has no such module. If it is your own file, put it beside the notebook, as {file}."
    if name in MODULES:
        return f"\nIf {name} is a module of the course, put its {name}.py beside the notebook, or write cs231n.{name}."
    if name in _courses(source):
        return f"\nIf {name} is the course under another name, run with --package {name}."
    if name in FRAMEWORKS:
        return (
            f"\nThe notebook is for {name}; Thinnet covers only those for NumPy. To run it, install {name} beside "
            f"Thinnet: {sys.executable} -m pip install {name}"
        )
    return (
        f"\n{name} is not part of the course. If it is your own file, put it beside the notebook; if not, install the "
        f"package: {sys.executable} -m pip install {DISTRIBUTIONS.get(name, name)}"
    )


def _defined_later(failure: str, cells: Sequence[ast.Module]) -> str:
    """Where a name is defined that a cell uses too early; "" if it is none, or is nowhere."""
    match = re.match(r"NameError: name '(\w+)' is not defined[^\n]*\nCell In\[(\d+)\]", failure)
    name, used = (match[1], int(match[2])) if match else ("", 0)
    for i, cell in enumerate(cells[used:] if match else (), used + 1):
        if _binds(cell, name):
            return f"\n{name} is only defined further down, in Cell In[{i}]: move that cell up."
    return ""


def _binds(cell: ast.Module, name: str) -> bool:
    with contextlib.suppress(SyntaxError):  # x = 1; global x
        names = symtable.symtable(ast.unparse(cell), "", "exec")
        return name in names.get_identifiers() and (
            names.lookup(name).is_assigned() or names.lookup(name).is_imported()
        )
    return False


def unknown_package(source: str, known: Collection[str]) -> str:
    """The notebook's name for the course's package, if that is neither a course's own nor in `known`; else "".

    >>> unknown_package("from cs682.layers import *", ()), unknown_package("from cs231n.layers import *", ())
    ('cs682', '')
    """
    return next((name for name in _courses(source) if name not in (*PACKAGES, *known)), "")


def _courses(source: str) -> list[str]:
    """The packages from which a notebook imports modules that are named like a course's."""
    return re.findall(rf"^\s*(?:from|import)\s+(\w+)\.(?:\w+\.)?(?:{'|'.join(MODULES)})\b", source, re.MULTILINE)
