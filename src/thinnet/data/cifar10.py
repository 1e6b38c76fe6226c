"""CIFAR-10: 60,000 color images of 32 x 32 pixels in ten classes. Find or download the folder, and read it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_number, check_path, kind_of
from thinnet.data.checking import check_rows
from thinnet.data.dataset import Dataset
from thinnet.data.files import Archive, damaged, file_size
from thinnet.data.pickles import load_pickle
from thinnet.data.shares import Share
from thinnet.errors import MissingDataError
from thinnet.typing import AnyArray, IntArray

FOLDER = "cifar-10-batches-py"
NUM_FEATURES = 3 * 32 * 32
TRAIN_FILES = tuple(f"data_batch_{k}" for k in range(1, 6))
TEST_FILES = ("test_batch",)
META_FILE = "batches.meta"
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
VARIABLE = "THINNET_DATA"  # environment variable
COURSE_FOLDERS = (Path(), Path("cs231n", "datasets"), Path("datasets"))

ARCHIVE = Archive(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    folder=FOLDER,
    members={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
)

EXPECTED = "a batch of CIFAR-10: a pickled dict with the keys data and labels"
FIX = f"Put the file from {ARCHIVE.url} in its place."


@known_arguments
def load_cifar10(
    root: str | os.PathLike[str] | None = None,
    *,
    num_train: int = 49000,
    num_val: int = 1000,
    num_test: int | None = 1000,
    share: tuple[int, int] | None = None,
) -> Dataset:
    """CIFAR-10 with the courses' split, and pixels kept as uint8.

    The folder ``cifar-10-batches-py`` is looked for in `root` if given; otherwise in the folder that the environment
    variable ``THINNET_DATA`` names, the working directory, its ``cs231n/datasets`` and ``datasets``, and, without that
    variable, the user's cache. If it is not found, the official archive (170 MB) is downloaded into ``THINNET_DATA``
    or the cache, and its MD5 sums are checked. Nothing is downloaded if `root` is given. Reading never runs code.

    Args:
        root: ``cifar-10-batches-py`` itself, or the folder that contains it.
        num_train: how many of the 50,000 training images to train with: the first ones, in the order of the files.
        num_val: how many of the images after those to validate with.
        num_test: how many of the 10,000 test images to test with: the first ones; ``None`` for all.
        share: ``(rank, size)`` to read only the share of one of `size` processes; see `Dataset.shared`.

    Returns:
        A `Dataset`: rows of 3072 uint8 pixels, 1024 red, 1024 green, 1024 blue; labels int64 from 0 to 9.

    Raises:
        DataError: if nothing is at `root` or a file is missing (then also a `FileNotFoundError`), a file is damaged,
            there are fewer images than requested, or the download fails.
        ArgumentError: if a number of images is not a whole number.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    >>> load_cifar10("no/such/folder")
    Traceback (most recent call last):
    ...
    thinnet.errors.MissingDataError: root must be cifar-10-batches-py or the folder that has it, got ...
    """
    wanted = check_number("num_train", num_train) + check_number("num_val", num_val)
    wanted_test = None if num_test is None else check_number("num_test", num_test)
    folder = find_cifar10(root)
    if share is not None and wanted_test is None:
        wanted_test = sum(len(_decode(folder / name)[1]) for name in TEST_FILES)
    totals = {"train": num_train, "val": num_val, "test": wanted_test or 0}
    own = Share(*(share or (0, 1)), totals, len(CLASS_NAMES))
    train, val, test = (own.rows(split) for split in totals)
    parts = [train, slice(num_train + val.start, num_train + val.stop)]
    files: dict[bytes, str] = {}
    ((X, y), (X_val, y_val)), there = _read_rows(folder, TRAIN_FILES, parts, files, wanted)
    check_rows("num_train + num_val", wanted, there, f"training images in {folder}")
    parts = [slice(None) if wanted_test is None else test]
    ((X_test, y_test),), there = _read_rows(folder, TEST_FILES, parts, files, wanted_test)
    check_rows("num_test", wanted_test or 0, there, f"test images in {folder}")
    arrays: dict[str, Any] = {"X_train": X, "y_train": y}  # required, even if a share has no rows of it
    arrays |= {"X_val": X_val, "y_val": y_val} if num_val else {}
    arrays |= {"X_test": X_test, "y_test": y_test} if there else {}
    about: dict[str, Any] = {"name": "CIFAR-10", "class_names": _class_names(folder), "image_shape": (3, 32, 32)}
    return Dataset(**arrays, **about, share=own if share else None)


def read_cifar10_folder(folder: str | os.PathLike[str]) -> tuple[AnyArray, IntArray, AnyArray, IntArray]:
    """All images in a folder ``cifar-10-batches-py``: ``(X_train, y_train, X_test, y_test)``.

    X has shape (N, 3072) and dtype uint8, y has shape (N,) and dtype int64. The training batches are concatenated.

    Raises:
        DataError: if a file is missing (then also a `FileNotFoundError`), damaged, or not a batch of CIFAR-10.
        ArgumentError: if `folder` is not a path.
    """
    folder = check_path("folder", folder)
    files: dict[bytes, str] = {}
    ((X, y),), _ = _read_rows(folder, TRAIN_FILES, [slice(None)], files)
    ((X_test, y_test),), _ = _read_rows(folder, TEST_FILES, [slice(None)], files)
    return X, y, X_test, y_test


def read_cifar10_batch(path: str | os.PathLike[str]) -> tuple[AnyArray, IntArray]:
    """The images and labels in one batch file. Nothing in it is executed.

    Args:
        path: the path of a file such as ``data_batch_1``, a pickle.

    Returns:
        X of shape (N, 3072) and dtype uint8, each row 1024 red, 1024 green and 1024 blue pixels; y of shape (N,) and
        dtype int64, from 0 to 9.

    Raises:
        DataError: if the file is missing (then also a `FileNotFoundError`), a folder, empty, damaged, or not a batch of
            CIFAR-10.
        ArgumentError: if `path` is not a path.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    >>> import pickle, tempfile
    >>> batch = {b"labels": [3, 8], b"data": np.zeros((2, 3072), np.uint8)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "data_batch_1")
    ...     _ = path.write_bytes(pickle.dumps(batch, protocol=2))
    ...     X, y = read_cifar10_batch(path)
    >>> X.shape, y
    ((2, 3072), array([3, 8]))
    """
    X, y = _decode(check_path("path", path))
    return X.copy(), y  # the array from the file is read-only


def find_cifar10(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder with the batches: found as described in `load_cifar10`, or downloaded."""
    if root is None:
        return look_for_cifar10() or _downloaded()
    folders = _itself_or_inside(root)
    found = _first_with_batches(folders)
    if found is None:
        looked = " nor ".join(str(folder.absolute()) for folder in folders)
        below = next((f" Did you mean {str(one.parent)!r}?" for at in folders for one in at.glob("*/data_batch_1")), "")
        raise MissingDataError(
            f"root must be {FOLDER} or the folder that has it, got {os.fspath(root)!r}, but neither {looked} has batch "
            f"files. Unpack {ARCHIVE.url} there, or leave root out to have it downloaded.{below}"
        )
    return found


def look_for_cifar10() -> Path | None:
    """The folder with the batches if `load_cifar10` can find it without downloading, or None."""
    named = os.environ.get(VARIABLE)
    folders = _itself_or_inside(named) if named else []
    found = _first_with_batches([*folders, *(folder / FOLDER for folder in COURSE_FOLDERS)])
    if found is None and not named:
        from thinnet.data import download  # its imports take longer than all others here

        found = _first_with_batches([download.cache_folder() / FOLDER])
    return found


def _downloaded() -> Path:
    """The folder with the batches, downloaded to the folder that the variable names, or into the user's cache."""
    from thinnet.data import download

    named = os.environ.get(VARIABLE)
    folder = check_path(VARIABLE, named) if named else download.cache_folder()
    return download.fetch_folder(ARCHIVE, folder.parent if folder.name == FOLDER else folder)


def _itself_or_inside(folder: str | os.PathLike[str]) -> list[Path]:
    path = check_path("root", folder)
    return [path, path / FOLDER]


def _first_with_batches(folders: Sequence[Path]) -> Path | None:
    """The first folder with any of the files; if others are missing, reading reports which."""
    for folder in folders:
        if any(os.path.exists(folder / name) for name in (*TRAIN_FILES, *TEST_FILES)):
            return folder
    return None


def _read_rows(
    folder: Path, names: Sequence[str], parts: Sequence[slice], files: dict[bytes, str], wanted: int | None = None
) -> tuple[list[tuple[AnyArray, IntArray]], int]:
    """Parts of the rows of all files together, with one file in memory at a time; and the number of rows.

    Reading stops after the first `wanted` rows, None for all. `files` maps the content of files already read to their
    names; DataError if the same content comes again under another name.
    """
    # An upper bound on the number of rows: files also hold labels, and + 1 makes sure that even short files are read.
    most = sum(file_size(folder / name, EXPECTED, FIX) // NUM_FEATURES + 1 for name in names)
    last = most if wanted is None else min(most, wanted)
    ranges = [range(last)[part] for part in parts]
    arrays = [(np.empty((len(part), NUM_FEATURES), np.uint8), np.empty(len(part), np.int64)) for part in ranges]
    there = 0
    for name in names:
        if there >= last:
            break
        rows, labels = _decode(folder / name)
        if len(rows) and (other := files.setdefault(labels.tobytes() + rows[0].tobytes(), name)) != name:
            raise damaged(folder / name, f"a batch of other rows than {other}", "the same ones", FIX)
        for part, (X, y) in zip(ranges, arrays, strict=True):
            first, end = max(part.start, there), min(part.stop, there + len(rows))
            if first < end:
                X[first - part.start : end - part.start] = rows[first - there : end - there]
                y[first - part.start : end - part.start] = labels[first - there : end - there]
        there += len(rows)
    there = min(there, last)
    filled = [max(there - part.start, 0) for part in ranges]
    return [(X[:size], y[:size]) for size, (X, y) in zip(filled, arrays, strict=True)], there


def _decode(path: Path) -> tuple[AnyArray, IntArray]:
    batch = load_pickle(path, EXPECTED, FIX)
    if "data" not in batch or "labels" not in batch:
        raise damaged(path, EXPECTED, f"the keys {', '.join(batch) or 'of an empty dict'}", FIX)
    X, labels = batch["data"], batch["labels"]
    if not isinstance(X, np.ndarray) or X.dtype != np.uint8 or X.ndim != 2 or X.shape[1] != NUM_FEATURES:
        came = f"{X.dtype} of shape {X.shape}" if isinstance(X, np.ndarray) else kind_of(X)
        raise damaged(path, f"a batch whose data is uint8 of shape (N, {NUM_FEATURES})", came, FIX)
    if isinstance(labels, np.ndarray):  # if someone rewrote the batch
        labels = labels.tolist()
    if not isinstance(labels, list) or len(labels) != len(X):
        came = f"{len(labels):,}" if isinstance(labels, list) else kind_of(labels)
        raise damaged(path, f"a batch with a list of {len(X):,} labels, one per row", came, FIX)
    for label in labels:
        if type(label) is not int or not 0 <= label < len(CLASS_NAMES):
            came = repr(label) if type(label) is int else kind_of(label)
            raise damaged(path, "a batch whose labels are integers from 0 to 9", came, FIX)
    return X, np.array(labels, np.int64)


def _class_names(folder: Path) -> tuple[str, ...]:
    """The names in the folder's own file, or the standard ones if it has none."""
    path = folder / META_FILE
    if not os.path.exists(path):
        return CLASS_NAMES
    expected = "a pickled dict with ten label_names"
    names = load_pickle(path, expected, FIX).get("label_names")
    if not isinstance(names, list) or not all(isinstance(name, (bytes, str)) for name in names):
        raise damaged(path, expected, "something other than a list of names", FIX)
    if len(names) != len(CLASS_NAMES):
        raise damaged(path, expected, f"{len(names)} names", FIX)
    return tuple(name.decode("latin1") if isinstance(name, bytes) else name for name in names)
