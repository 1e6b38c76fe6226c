"""Labels and rows as users have them: one class, classes from 1, -1 and 1, objects; and advice if they fail."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from thinnet import ArgumentError, DataError, Dataset, FullyConnectedNet, Solver
from thinnet.sklearn import ThinNetClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3)).astype(np.float32)
BITS = (X[:, 0] > 0).astype(int)


def solver(y: Any, *val: Any, num_classes: int | None = None, **options: Any) -> Solver:
    data = Dataset(X, y, *val)
    net = FullyConnectedNet([4], 3, num_classes, seed=0, **options) if num_classes else None
    return Solver(net or FullyConnectedNet.for_data(data, [4], seed=0, **options), data, verbose=False)


@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_a_net_of_one_class_is_refused(loss: str) -> None:
    text = rf"num_classes must be an integer >= 2 with loss='{loss}', got 1"
    with pytest.raises(ArgumentError, match=text):
        FullyConnectedNet([4], 3, 1, loss=loss)
    values = FullyConnectedNet([4], 3, 1, loss="mse")
    with pytest.raises(ArgumentError, match=text):
        values.replace(loss=loss)
    with pytest.raises(ArgumentError, match=text):
        FullyConnectedNet.from_config({**values.config(), "loss": loss})
    for y in (np.zeros(40, int), np.zeros(40), np.full(40, "cat")):
        with pytest.raises(ArgumentError, match=r"labels of at least two classes .*, got ('cat'|0) alone"):
            FullyConnectedNet.for_data(Dataset(X, y), [4], loss=loss)


def test_the_classifier_answers_with_the_one_class_as_others_do() -> None:
    model = ThinNetClassifier(hidden_layer_sizes=(4,), max_iter=2, learning_rate="cosine", random_state=0)
    assert set(model.fit(X, ["cat"] * 40).predict(X)) == {"cat"}
    assert (model.predict_proba(X) == 1).all()


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ((BITS * 0 + 3,), "y_train has only the label 3"),
        ((BITS + 1,), r"y_train has no label 0, so the first of the net's 3 outputs .* np\.unique"),
        ((BITS * 2, X[:3], np.array([0, 1, 2])), "y_val has the label 1, which no training row has"),
        (
            (BITS * 3, X, np.arange(40) % 4),
            "y_val has the labels 1, 2, which no training row has: the net cannot learn t",
        ),
        (
            (BITS * 2, X, BITS * 2, X, np.arange(40) // 39),
            "y_test has the label 1, which no training row has",
        ),  # in 1 of 40
        ((BITS, None, None, X[:2], np.array([0, 1])), None),
        ((np.full(40, "cat"), X[:2], np.array(["cat", "dog"])), "y_train has only the label 'cat'"),
        ((np.where(BITS, "cat", "dog"), None, None, X[:2], np.array(["cat", "eel"])), "y_test has the label 'eel'"),
    ],
)
def test_labels_from_which_too_little_is_learned_are_warned_of(arrays: Any, text: str | None) -> None:
    if text is None:
        solver(*arrays)  # where warnings are errors
        return
    with pytest.warns(UserWarning, match=text) as caught:
        solver(*arrays)
    assert caught[0].filename == __file__


def test_values_and_ids_that_are_taken_for_classes_are_warned_of() -> None:
    many = np.random.default_rng(0).random((150, 3)).astype(np.float32)
    text = (
        r"has 150 different labels in 150 rows\. A net needs .* if they are values, (use Thin|build the net with loss=)"
    )
    for y in (np.arange(150), np.array([f"id {i}" for i in range(150)])):
        data = Dataset(many, y)
        with pytest.warns(UserWarning, match=text) as caught:
            Solver(FullyConnectedNet.for_data(data, [4], seed=0), data, verbose=False)
        assert caught[0].filename == __file__
        with pytest.warns(UserWarning, match=text) as caught:
            ThinNetClassifier((4,), max_iter=1, learning_rate="cosine", random_state=0).fit(many, y)
        assert caught[0].filename == __file__
    wide = FullyConnectedNet([4], 3, 2_000, seed=0)
    with pytest.warns(UserWarning, match="the net has 2,000 outputs, but y_train only 2 different labels, so"):
        Solver(wide, Dataset(X, BITS), verbose=False)


def test_as_many_classes_as_rows_are_no_reason_to_warn_where_both_are_few() -> None:
    solver(np.arange(40), num_classes=40)  # where warnings are errors


def test_a_label_that_few_rows_lack_by_chance_is_not_warned_of() -> None:
    y_val = np.arange(40) % 10
    solver(np.arange(40) % 9, X, y_val, num_classes=10)  # where warnings are errors
    many = Dataset(np.tile(X, (3, 1)), np.arange(120) % 9, X, y_val)
    with pytest.warns(UserWarning, match="y_val has the label 9, which no training row has"):
        Solver(FullyConnectedNet([4], 3, 10, seed=0), many, verbose=False)


@pytest.mark.parametrize("y", [np.array([10_001, 20_007] * 20), np.arange(40) + 10**12])
def test_labels_that_are_no_numbers_of_classes_are_refused(y: Any) -> None:
    with pytest.raises(ArgumentError, match=r"an output for each\. Number the classes"):
        FullyConnectedNet.for_data(Dataset(X, y), [4])
    assert FullyConnectedNet.for_data(Dataset(X, y), [4], loss="mse").num_classes == 1


@pytest.mark.parametrize("y", [np.where(BITS, 1.0, -1.0), X[:, 0], X[:, :1]])
def test_targets_are_told_as_they_were_given(y: Any) -> None:
    with pytest.raises(ArgumentError, match=r"y_train must hold labels, .* got values such as") as caught:
        solver(y, num_classes=2)
    assert "(40, 1)" not in str(caught.value)
    assert "np.unique(y, return_inverse=True)" in str(caught.value)


OBJECTS: dict[str, list[Any]] = {
    "integers": [1, 5],
    "bools": [False, True],
    "NumPy's bools": [np.False_, np.True_],
    "floats": [0.0, 2.0],
    "text": ["cat", "dog"],
    "NumPy's integers": [np.int8(3), np.int64(4)],
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_that_are_clearly_labels_are_taken(kind: str) -> None:
    y = np.array([OBJECTS[kind][bit] for bit in BITS], object)
    model = ThinNetClassifier(hidden_layer_sizes=(8,), random_state=0).fit(X, y)
    assert model.classes_.tolist() == OBJECTS[kind]
    assert model.score(X, y) > 0.8
    parts = ThinNetClassifier((8,), random_state=0).partial_fit(X, y, classes=np.array(OBJECTS[kind], object))
    assert parts.classes_.tolist() == OBJECTS[kind]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["cat", 1], r"y must be all text or all numbers, got .*Convert all to text, \[str\(label\) for label in y\]"),
        ([1, 2**70], r"y must be within 64 bits, got 1180591620717411303424\. Convert them to text or floats"),
        (
            [b"cat", b"dog"],
            r"y must be text or numbers, got bytes .* Decode them: \[label\.decode\(\) for label in y\]",
        ),
        (["cat", None], r"y must have a label for each row, got None in row"),
    ],
)
def test_objects_that_are_not_are_told_the_fix(labels: list[Any], text: str) -> None:
    y = np.array([labels[bit] for bit in BITS], object)
    with pytest.raises(ArgumentError, match=text):
        ThinNetClassifier().fit(X, y)


DATES = np.array([["2020-01-01", "2021-05-05", "2022-02-02"]] * 2, "M8[D]")
ROWS: dict[str, tuple[Any, str]] = {
    "text that spells numbers": (np.array([["1", "2.5", "3"]]), "X.astype(float)"),
    "bytes that spell numbers": (np.array([[b"1", b"2.5", b"3"]]), "X.astype(float)"),
    "dates": (DATES, "(X - X.min()) / np.timedelta64(1, 'D')"),
    "durations": (DATES - DATES.min(), "X / np.timedelta64(1, 's')"),
}


@pytest.mark.parametrize("kind", ROWS)
def test_the_advice_about_rows_works(kind: str) -> None:
    X, advice = ROWS[kind]
    net = FullyConnectedNet([4], 3, 2, seed=0)
    with pytest.raises(ArgumentError, match="X must be real numbers, got") as caught:
        net.predict(X)
    assert advice in str(caught.value)
    net.predict(eval(advice, {"X": X, "np": np}))


def test_other_rows_are_told_what_works_for_them() -> None:
    net = FullyConnectedNet([4], 2, 2, seed=0)
    with pytest.raises(ArgumentError, match=r"got text such as 'red'\. Give each word a column of zeros and ones"):
        net.predict(np.array([["red", "1"]]))
    with pytest.raises(ArgumentError, match=r"got complex numbers\. Give both parts") as caught:
        net.predict(X[:, :1] + 1j)
    net.predict(eval(str(caught.value).partition("Give both parts: ")[2].rstrip("."), {"X": X[:, :1] + 1j, "np": np}))
    with pytest.raises(ArgumentError, match=r"got None\. Fill in"):
        net.predict(np.array([[1.0, None]], object))
    assert np.array_equal(net.predict(X[:, :2].astype(object)), net.predict(X[:, :2].astype(float)))


def test_one_hot_classes_a_single_row_and_missing_targets_are_told_the_fix() -> None:
    for one_hot in (np.eye(2)[BITS], np.eye(2, dtype=int)[BITS]):
        with pytest.raises(ArgumentError, match=r"in 2 columns\. Give the number .* y\.argmax\(axis=1\)"):
            solver(one_hot, num_classes=2)
    with pytest.raises(ArgumentError, match=r"got \(3,\)\. Give X\[None\], which is one row\."):
        FullyConnectedNet([4], 3, 2).predict(X[0])
    with pytest.raises(DataError, match=r"y_train must hold finite numbers, got nan in row 1\. Remove"):
        Dataset(X, np.r_[0.0, np.nan, np.ones(38)])


def test_one_hot_classes_are_values_with_a_warning_unless_the_loss_is_named() -> None:
    data = Dataset(X, np.eye(2)[BITS])
    with pytest.warns(UserWarning, match=r"with loss='mse'\. If they are classes, .*y\.argmax\(axis=1\)\.") as caught:
        assert FullyConnectedNet.for_data(data, [4]).loss_name == "mse"
    assert caught[0].filename == __file__
    assert FullyConnectedNet.for_data(data, [4], loss="mse").loss_name == "mse"
    assert FullyConnectedNet.for_data(Dataset(X, np.ones((len(X), 2))), [4]).loss_name == "mse"


def test_a_net_for_no_rows_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least one training row or"):
        FullyConnectedNet.for_data(Dataset(X[:0], BITS[:0]), [5])


def test_a_class_of_test_rows_alone_is_one_of_the_net_whether_labels_are_numbers_or_text() -> None:
    for labels, name in ((np.array([0, 1, 2]), "2"), (np.array(["a", "b", "c"]), "'c'")):
        data = Dataset(X, labels[BITS], X_test=X[:3], y_test=labels)
        net = FullyConnectedNet.for_data(data, [4])
        assert (data.num_classes, net.num_classes) == (3, 3)
        with pytest.warns(UserWarning, match=f"y_test has the label {name}, which no training row has"):
            Solver(net, data, epochs=1, verbose=False).train()


@pytest.mark.parametrize(
    ("argument", "given", "ours"),
    [
        ("loss", "sparse_categorical_crossentropy", "softmax"),
        ("loss", "CrossEntropyLoss", "softmax"),
        ("loss", "mean_squared_error", "mse"),
        ("loss", "binary_crossentropy", "logistic"),
        ("activation", "leaky_relu", "relu"),
        ("activation", "swish", "silu"),
        ("activation", "linear", "identity"),
    ],
)
def test_the_names_of_others_are_known(argument: str, given: str, ours: str) -> None:
    options: dict[str, Any] = {argument: given}
    with pytest.raises(ArgumentError, match=rf"got '{given}'\. Did you mean '{ours}'\?"):
        FullyConnectedNet([4], 3, 2, **options)


def test_a_column_of_text_is_labels() -> None:
    words = np.array(["no", "yes"])[BITS]
    labels: Any
    for labels in (words[:, None], pd.DataFrame({"y": words}), [[word] for word in words.tolist()]):
        data = Dataset(X, labels)
        assert data.class_names == ("no", "yes")
        np.testing.assert_array_equal(data.y_train, BITS)


def test_frames_of_two_splits_with_columns_in_another_order() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    with pytest.raises(
        DataError, match=r"X_val must have its columns in the order of training, 'a', 'b', 'c', got 'c', "
    ):
        Dataset(frame, BITS, frame[["c", "b", "a"]], BITS)
    assert Dataset(frame, BITS, X, BITS, frame.set_axis([0, 1, 2], axis=1), BITS).num_rows("test") == 40


@pytest.mark.parametrize("prices", [np.arange(40) * 1000, np.arange(40.0) * 1000])  # whole, so they look like labels
def test_who_has_whole_numbers_as_values_is_told_what_helps(prices: Any) -> None:
    for data in (Dataset(X, prices), Dataset(X, prices // 1000, X, prices)):
        with pytest.raises(ArgumentError, match=r"up to 39000, .* for values build the net with loss='mse'"):
            FullyConnectedNet.for_data(data, [4])
    solver(prices, X, prices, loss="mse")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("training", [False, True])
def test_a_net_takes_shares_of_classes_of_any_dtype(dtype: Any, training: bool) -> None:
    net = FullyConnectedNet([5], 4, 3, seed=0, dtype=dtype)
    rows, labels = np.random.default_rng(0).normal(size=(6, 4)), np.arange(6) % 3
    hot = np.eye(3)[labels]
    wanted = net.loss(rows, labels, training=training)
    for kind in (np.float16, np.float32, np.float64, int, bool):
        loss, gradients = net.loss(rows, hot.astype(kind), training=training)
        assert loss == pytest.approx(wanted[0], rel=1e-6)
        np.testing.assert_allclose(gradients["W1"], wanted[1]["W1"], rtol=1e-4, atol=1e-7)
    shares = 0.7 * hot + 0.1
    mixed = [0.7 * wanted[0] + sum(0.1 * net.loss(rows, np.full(6, c), training=training)[0] for c in range(3))]
    mixed += [net.loss(rows, shares.astype(kind), training=training)[0] for kind in (np.float32, np.float64)]
    np.testing.assert_allclose(mixed[1:], mixed[0], rtol=1e-6)
    with pytest.raises(
        ArgumentError, match=r"svm_loss: y must be of shape \(6,\), .* one-hot rows with y\.argmax\(axis=1\)"
    ):
        net.replace(loss="svm").loss(rows, hot)


def test_a_column_of_whole_floats_is_labels_for_a_loss_on_labels() -> None:
    net, rows = FullyConnectedNet([5], 4, 3, seed=0), np.ones((6, 4))
    labels = np.arange(6) % 3
    for loss in ("softmax", "svm"):
        one = net.replace(loss=loss)
        assert one.loss(rows, labels.reshape(-1, 1).astype(float))[0] == one.loss(rows, labels)[0]
    with pytest.raises(ArgumentError, match=r"\(6, 1\)"):
        net.loss(rows, labels.reshape(-1, 1) + 0.5)
