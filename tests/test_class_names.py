"""Text labels: a net trained on them predicts them, wherever they came from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, CheckpointError, DataError, Dataset, FullyConnectedNet, Solver, cli
from thinnet.data.npz import load_npz

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3)).astype(np.float32)
WORDS = np.where(X[:, 0] > 0, "dog", np.where(X[:, 1] > 0, "cat", "newt"))
FORMS: dict[str, Any] = {
    "an array": WORDS,
    "a list": WORDS.tolist(),
    "objects": WORDS.astype(object),
    "bytes": WORDS.astype("S"),
    "objects that are bytes": WORDS.astype("S").astype(object),
}


def trained(data: Dataset, **options: Any) -> FullyConnectedNet:
    net = FullyConnectedNet.for_data(data, [16], seed=0)
    Solver(net, data, epochs=30, learning_rate=0.01, batch_size=20, verbose=False, **options).train()
    return net


@pytest.mark.parametrize("form", FORMS)
def test_a_net_answers_with_the_words_it_was_trained_on(form: str) -> None:
    data = Dataset(X, FORMS[form], X[:20], FORMS[form][:20])
    assert data.text_labels
    assert data.class_names == ("cat", "dog", "newt")
    assert "labels 'cat', 'dog', 'newt'" in repr(data)
    net = trained(data)
    assert net.class_names == ("cat", "dog", "newt")
    assert "predicts 'cat', 'dog', 'newt'" in repr(net)
    assert (net.predict(X) == WORDS).mean() > 0.9
    assert net.predict_proba(X).shape == (60, 3)


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_words_in_a_frame_are_words_too(package: str) -> None:
    frames = pytest.importorskip(package)
    for series in (frames.Series(WORDS.tolist()), frames.Series(WORDS.tolist(), dtype=_category(frames))):
        data = Dataset(frames.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}), series)
        assert data.class_names == ("cat", "dog", "newt")
        assert np.array_equal(np.array(data.class_names)[data.y_train], WORDS)


def _category(frames: Any) -> Any:
    return frames.Categorical if hasattr(frames, "Categorical") and hasattr(frames, "Utf8") else "category"


def test_the_words_are_saved_copied_and_resumed(tmp_path: Path) -> None:
    data = Dataset(X, WORDS)
    net = trained(data, checkpoint_dir=tmp_path / "run")
    net.save(tmp_path / "net.safetensors")
    resumed = Solver.resume(tmp_path / "run", data, model=FullyConnectedNet.for_data(data, [16], seed=0)).model
    for other in (FullyConnectedNet.load(tmp_path / "net.safetensors"), net.copy(), net.replace(dropout=0.1), resumed):
        assert np.array_equal(other.predict(X), net.predict(X))
    assert FullyConnectedNet.from_config(net.config()).class_names == net.class_names


def test_a_run_of_the_command_line_ends_with_a_net_that_answers_with_words(tmp_path: Path) -> None:
    np.savez(tmp_path / "pets.npz", X_train=X, y_train=WORDS, X_val=X[:9], y_val=WORDS[:9])
    told = f"train --data {tmp_path / 'pets.npz'} --output {tmp_path / 'run'} --hidden-dims 8 --epochs 1 --quiet"
    assert cli.main(told.split()) == 0
    net = FullyConnectedNet.load(tmp_path / "run" / "net.safetensors")
    assert set(net.predict(X)) <= set(WORDS)
    assert load_npz(tmp_path / "pets.npz", share=(1, 2)).text_labels


def test_a_solver_names_the_classes_of_a_net_that_has_no_names() -> None:
    net, data = FullyConnectedNet([4], 3, 3, seed=0), Dataset(X, WORDS)
    assert net.predict(X[:1]).dtype.kind == "i"
    Solver(net, data, epochs=1, verbose=False).train()
    assert set(net.predict(X)) <= set(WORDS)
    loss, _ = net.loss(X, WORDS)
    assert loss == net.loss(X, data.y_train)[0]
    net.name_classes(())
    assert net.predict(X[:1]).dtype.kind == "i"


def test_numbers_with_names_stay_numbers() -> None:
    data = Dataset(X, WORDS == "dog", class_names=("no", "yes"))
    assert not data.text_labels
    assert trained(data).predict(X[:1]).dtype.kind == "i"
    net = FullyConnectedNet([4], 3, 2, class_names=["no", "yes"], seed=0)
    assert set(net.predict(X)) <= {"no", "yes"}


DATA = Dataset(X, WORDS)


def net_of(num_classes: int, **options: Any) -> FullyConnectedNet:
    return FullyConnectedNet([4], 3, num_classes, **{"seed": 0, **options})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: FullyConnectedNet.for_data(DATA, [4], loss="mse"), "y_train must hold values"),
        (lambda: Solver(net_of(1, loss="mse"), DATA), r"y_train must hold values, .* text such"),
        (lambda: Solver(net_of(1, loss="logistic"), DATA), "y_train must hold fractions"),
        (lambda: Solver(net_of(9), DATA), r"classes 'cat', .* one of 9 outputs\. Build"),
        (lambda: Solver(net_of(3, class_names="abc"), DATA), "must be different strings, one per class"),
        (lambda: Solver(net_of(3, class_names=["a", "b", "c"]), DATA), "got one for 'a', 'b'"),
        (lambda: net_of(3, class_names=["a", "a", "c"]), "class_names must be different strings, one per class"),
        (lambda: net_of(3, class_names={"a", "b", "c"}), "class_names must be different strings, one per class"),
        (lambda: net_of(3, class_names=["a", "b"]), "class_names must have 3 names, one per class, got 2"),
        (lambda: net_of(3, class_names=[1, 2, 3]), "class_names must be different strings, one per class"),
        (lambda: net_of(1, loss="mse", class_names=["a"]), "class_names must be left out with loss='mse'"),
        (lambda: net_of(3).loss(X, WORDS), r"got text such as .*return_inverse=True\); or give the net"),
        (lambda: net_of(3, class_names=["cat", "dog", "owl"]).loss(X, WORDS), "got 'newt'. Name every"),
    ],
)  # fmt: skip
def test_words_that_do_not_fit_are_refused(call: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        call()


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (["cat", None] * 30, r"must have a label or a value for each row, got None in row 1 .*: 30\)"),
        (np.array(["cat", float("nan")] * 30, object), r"got nan in row 1"),
        (np.array(["cat", 3] * 30, object), r"must be all text or all numbers, got .*'cat'"),
        (np.array([1, 2**70] * 30, object), r"must be within 64 bits, got 1180591620717411303424"),
        (np.array([(1, 2), None] * 30, object), r"got None in row 1"),
    ],
)
def test_labels_of_no_one_kind_are_refused(y: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        Dataset(X, y)


def test_a_word_that_is_nearly_a_name_is_told() -> None:
    with pytest.raises(DataError, match=r"got 'newd'\. Name every class\. Did you mean 'newt'\?"):
        Dataset(X[:2], np.array(["newd", "cat"]), class_names=("cat", "dog", "newt"))


def test_a_run_of_other_words_is_not_resumed(tmp_path: Path) -> None:
    data = Dataset(X, WORDS)
    trained(data, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match="got class_names"):
        Solver.resume(tmp_path, data, model=FullyConnectedNet([16], 3, 3, seed=0, class_names=["a", "b", "c"]))
