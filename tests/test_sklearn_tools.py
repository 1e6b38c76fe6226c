"""The estimators in scikit-learn's tools, with data frames, and without the packages of the extra."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import thinnet.sklearn
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.teams import num_threads

X, Y = load_iris(return_X_y=True)
QUICK: dict[str, Any] = {"hidden_layer_sizes": 16, "max_iter": 25, "learning_rate_init": 0.01, "random_state": 0}


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
def test_a_pickle_predicts_the_same_and_goes_on_the_same(estimator: Any, tmp_path: Path) -> None:
    net = estimator(warm_start=True, **QUICK).fit(X, Y)
    joblib.dump(net, tmp_path / "net.joblib")
    for again in (pickle.loads(pickle.dumps(net)), joblib.load(tmp_path / "net.joblib")):
        np.testing.assert_array_equal(again.predict(X), net.predict(X))
        np.testing.assert_array_equal(again.partial_fit(X, Y).coefs_[0], clone_of(net).partial_fit(X, Y).coefs_[0])


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
def test_training_a_copy_leaves_the_other_alone(estimator: Any) -> None:
    net = estimator(warm_start=True, **QUICK).set_params(random_state=np.random.RandomState(0)).fit(X, Y)
    before = net.predict(X), net.n_iter_, len(net.loss_curve_)
    for train in ("partial_fit", "fit"):
        again = copy.copy(net)
        assert again.random_state is net.random_state
        np.testing.assert_array_equal(again.predict(X), before[0])
        getattr(again, train)(X, Y)
        np.testing.assert_array_equal(net.predict(X), before[0])
        assert (net.n_iter_, len(net.loss_curve_)) == before[1:]
    assert not hasattr(copy.copy(estimator()), "classes_")


def clone_of(net: Any) -> Any:
    return pickle.loads(pickle.dumps(net))


def test_a_clone_has_the_parameters_and_nothing_learned() -> None:
    options = {"dropout": 0.25, "learning_rate": "one_cycle", "beta_1": 0.8, **QUICK}
    net = clone(ThinNetClassifier(**options).fit(X, Y))
    assert {name: net.get_params()[name] for name in options} == options
    assert not hasattr(net, "classes_")


def test_the_parameters_of_the_two_are_the_same_but_for_three() -> None:
    one, other = ThinNetClassifier().get_params(), ThinNetRegressor().get_params()
    assert (one.pop("class_weight"), one.pop("calibrate")) == (None, "auto")
    assert other.pop("loss") == "squared_error"
    assert one == other


def two_processes() -> Any:
    """Let joblib use two processes, always the same two, since they are slow to start."""
    return joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1)


def test_a_search_in_two_processes_finds_what_one_finds() -> None:
    def search() -> Any:
        grid = {"dropout": [0.0, 0.5], "hidden_layer_sizes": [(4,), (16, 8)]}
        return GridSearchCV(ThinNetClassifier(max_iter=10, random_state=0), grid, cv=3).fit(X, Y)

    one = search()
    with two_processes():
        two = search()
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert len(set(one.cv_results_["mean_test_score"])) > 1
    assert one.best_params_ == two.best_params_


def test_the_processes_of_a_search_tell_our_threads_how_many_they_may_be() -> None:
    with two_processes():
        assert joblib.Parallel()(joblib.delayed(num_threads)() for _ in range(2)) == [1, 1]


def test_inside_other_estimators() -> None:
    bag = BaggingClassifier(ThinNetClassifier(**QUICK), n_estimators=3, random_state=0).fit(X, Y)
    assert bag.score(X, Y) > 0.6
    both = MultiOutputClassifier(ThinNetClassifier(**QUICK)).fit(X, np.column_stack([Y, 2 - Y]))
    assert both.predict(X).shape == (150, 2)
    assert cross_val_predict(ThinNetClassifier(**QUICK), X, Y, method="predict_proba").shape == (150, 3)


def test_a_pipeline_that_gives_data_frames() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    for output in ("default", "pandas", "polars"):
        pipeline = make_pipeline(StandardScaler().set_output(transform=output), ThinNetClassifier(**QUICK))
        pipeline.fit(frame, Y)
        assert pipeline.score(frame, Y) > 0.6
        if output != "default":
            assert pipeline[-1].feature_names_in_.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("library", [pd, pl])
def test_data_frames_keep_their_names(library: Any) -> None:
    frame = library.DataFrame({name: X[:, i] for i, name in enumerate("abcd")})
    names = library.Series("species", [["x", "y", "z"][label] for label in Y]) if library is pl else None
    labels = pd.Series(["x" if label == 0 else "other" for label in Y]) if names is None else names
    net = ThinNetClassifier(**QUICK).fit(frame, labels)
    assert net.feature_names_in_.tolist() == list("abcd")
    assert set(net.predict(frame)) <= set(labels)
    np.testing.assert_array_equal(net.predict(frame), ThinNetClassifier(**QUICK).fit(X, labels.to_numpy()).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        net.predict(X)


def test_early_stopping_with_names_does_not_warn() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert ThinNetClassifier(early_stopping=True, **QUICK).fit(frame, Y).validation_scores_


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_sample_weights_can_be_routed(method: str) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        net = getattr(ThinNetClassifier(), f"set_{method}_request")(sample_weight=True)
        request = net.get_metadata_routing()
    assert getattr(request, method).requests["sample_weight"] is True


def test_routed_weights_arrive() -> None:
    weights = np.where(Y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        net = (
            ThinNetClassifier(random_state=0).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        )
        done = cross_validate(net, X, Y, params={"sample_weight": weights}, return_estimator=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), net)
        pipeline.fit(X, Y, sample_weight=weights)
    for model in (pipeline, *done["estimator"]):
        assert (model.predict(X) == 2).mean() < 0.02, "it never saw that class"
    assert (done["test_score"] > 0.9).all(), "it is not scored on that class"


def test_they_say_what_they_are() -> None:
    assert repr(ThinNetClassifier(dropout=0.5)) == "ThinNetClassifier(dropout=0.5)"
    tags = ThinNetClassifier().__sklearn_tags__()
    assert tags.classifier_tags.multi_label
    assert tags.input_tags.sparse
    assert ThinNetRegressor().__sklearn_tags__().target_tags.multi_output


@pytest.mark.parametrize("name", thinnet.sklearn.__all__)
def test_each_parameter_and_attribute_is_documented(name: str) -> None:
    estimator = getattr(thinnet.sklearn, name)
    text = estimator.__doc__
    for parameter in estimator().get_params():
        assert f"    {parameter}: " in text, parameter
    fitted = estimator(**QUICK).fit(X, Y)
    learned = [key for key in dir(fitted) if key.endswith("_") and not key.startswith("_")]
    for attribute in learned:
        assert f"    {attribute}: " in text or attribute == "feature_names_in_", attribute


def test_without_scikit_learn_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import thinnet.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "MissingExtraError: thinnet.sklearn needs the package 'sklearn'" in done.stderr
    assert 'pip install "thinnet[sklearn]"' in done.stderr
