"""What users write out of habit from Keras, PyTorch, scikit-learn and the courses: errors suggest the known word."""

import copy
import pickle
import sys
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, Dataset, FullyConnectedNet, Solver, load_digits  # noqa: F401  # the texts use some
from thinnet.arguments import Known
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor  # noqa: F401

X = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
Y = np.arange(30) % 3


def named() -> dict[str, Any]:
    data = Dataset(X, Y, X, Y)
    net = FullyConnectedNet.for_data(data, [5], seed=0)
    solver = Solver(net, data, epochs=1, verbose=False, progress=False)
    classifier = ThinNetClassifier((5,), max_iter=1, learning_rate="cosine", random_state=0).fit(X, Y)
    return {"data": data, "net": net, "solver": solver, "history": solver.train(), "classifier": classifier}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("net.parameters()", "Did you mean 'params'?"),
        ("net.state_dict()", "Did you mean 'params'?"),
        ("net.weights", "Did you mean 'params'?"),
        ("net.n_classes", "Did you mean 'num_classes'?"),
        ("net.train()", "Write thinnet.Solver(net, data).train()."),
        ("net.fit(X, Y)", "Write thinnet.Solver(net, data).train()."),
        ("net.eval()", "net.predict(X) and net.scores(X) drop nothing."),
        ("net.training", "Write net.loss(X, y, training=True); everything else is in test mode."),
        ("net.history", "Write history = solver.train()."),
        ("net.predict_classes(X)", "Did you mean 'predict'?"),
        ("net.score(X, Y)", "Write (net.predict(X) == y).mean()."),
        ("data.split(0.2)", "Write Dataset(X_train, y_train, X_val, y_val)"),
        ("net.cuda()", "Everything is computed on the CPU"),
        ("data.train", "Write data.batch('train'), which gives rows and labels."),
        ("net.predcit(X)", "Did you mean 'predict'?"),
        ("solver.fit()", "Write solver.train()."),
        ("solver.best_val_acc", "Did you mean 'best_val_accuracy'?"),
        ("solver.loss_history", "Did you mean 'history.loss'?"),
        ("solver.val_acc_history", "Did you mean 'history.val_accuracy'?"),
        ("solver.net", "Did you mean 'model'?"),
        ("solver.batch_size", "Write solver.order.batch_size."),
        ("history.val_acc", "Did you mean 'val_accuracy'?"),
        ("history.history", "Its lists are attributes"),
        ("net.b2", "Write .params['b2']."),
        ("data.target", "Did you mean 'y_train'?"),
        ("data.x_train", "Did you mean 'X_train'?"),
        ("classifier.history_", "Did you mean 'loss_curve_'?"),
        ("classifier.coef_", "Did you mean 'coefs_'?"),
        ("classifier.classes", "Did you mean 'classes_'?"),
        ("classifier.train(X, Y)", "Did you mean 'fit'?"),
        ("ThinNetClassifier().classes_", "Call fit first."),
        ("ThinNetRegressor().loss_curve_", "Call fit first."),
    ],
)
def test_an_unknown_attribute_names_what_to_write(written: str, told: str) -> None:
    with pytest.raises(AttributeError) as caught:
        eval(written, globals() | named())
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("net.predict(X, mc_samples=3)", "predict has no argument 'mc_samples'. It has X, flip."),
        ("net.predict(X, batch_size=3)", "predict has no argument 'batch_size'."),
        ("net.loss(X, Y, train=True)", "loss has no argument 'train'. Did you mean 'training'?"),
        ("net.save(file='x')", "save has no argument 'file'. It has path, standardization."),
        ("FullyConnectedNet.load(file='x')", "load has no argument 'file'. It has path."),
        ("solver.train(num_epochs=2)", "train has no argument 'num_epochs'. Did you mean 'epochs'?"),
        ("Solver(named()['net'], named()['data'], momentum=0.9)", "Did you mean 'optimizer_options'?"),
        ("solver.train(batch_size=2)", "Give it to Solver(batch_size=...)."),
        ("data.batch('train', row=[0])", "batch has no argument 'row'. Did you mean 'rows'?"),
        ("Dataset(X=X, y=Y)", "Dataset has no argument 'X'. Did you mean 'X_train'?"),
        ("Dataset(X, Y, X_valid=X)", "Dataset has no argument 'X_valid'. Did you mean 'X_val'?"),
        ("classifier.fit(X, Y, epochs=3)", "Give it to ThinNetClassifier(max_iter=...)."),
        ("classifier.fit(X, Y, sample_weights=Y)", "Did you mean 'sample_weight'?"),
        ("classifier.partial_fit(X, Y, class_weight=3)", "Give it to ThinNetClassifier(class_weight=...)."),
        ("classifier.partial_fit(X, Y, classe=[0])", "Did you mean 'classes'?"),
        ("load_digits(n_train=5)", "load_digits has no argument 'n_train'. Did you mean 'num_train'?"),
        ("net['W1']", "a FullyConnectedNet has no items, got ['W1']. Write .params['W1']."),
        ("history['loss']", "a History has no items, got ['loss']. Write .loss."),
        ("history['val_acc']", "Did you mean 'val_accuracy'?"),
        ("data['X_train']", "a Dataset has no items, got ['X_train']. Write .X_train."),
    ],
)
def test_an_unknown_argument_or_item_names_what_to_write(written: str, told: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        eval(written, globals() | named())
    assert told in str(caught.value)


def test_what_is_there_is_found_and_what_others_look_for_is_not() -> None:
    for thing in named().values():
        assert isinstance(thing, Known)
        assert not hasattr(thing, "transform")
        with pytest.raises(TypeError, match="not iterable"):
            iter(thing)  # type: ignore[call-overload]
        assert not hasattr(thing, "__array__")
        copy.copy(thing)
        assert type(pickle.loads(pickle.dumps(thing))) is type(thing)


def test_a_property_that_fails_fails_in_its_own_words() -> None:
    class Odd(Known):
        @property
        def value(self) -> float:
            raise AttributeError("in my own words")

    with pytest.raises(AttributeError, match=r"^in my own words$"):
        _ = Odd().value


def test_an_argument_that_a_method_passes_on_is_left_to_it() -> None:
    class Open(Known):
        def take(self, **options: Any) -> dict[str, Any]:
            return options

    assert Open().take(anything=1) == {"anything": 1}


def test_the_advice_is_given_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Python has its own suggestions for misspelled attributes."""

    class Curve(Known):
        loss = 0.5

    with pytest.raises(AttributeError) as caught:
        getattr(Curve(), "losses")  # noqa: B009
    sys.__excepthook__(caught.type, caught.value, None)
    assert capsys.readouterr().err.count("Did you mean") == 1


def test_who_only_looks_whether_an_attribute_is_there_waits_for_no_advice() -> None:
    """scikit-learn does this in each prediction, and finding the nearest name took longer than predicting a row."""

    class Curve(Known):
        asked = 0

        def _way(self, name: str) -> str:
            type(self).asked += 1
            return super()._way(name)

    assert not hasattr(Curve(), "points")
    assert Curve.asked == 0
    with pytest.raises(AttributeError, match=r"a Curve has no attribute 'aksed'\. Did you mean 'asked'") as caught:
        getattr(Curve(), "aksed")  # noqa: B009
    assert Curve.asked == 1
    assert "Did you mean" in repr(caught.value)
    assert "Did you mean" in str(pickle.loads(pickle.dumps(caught.value)))
