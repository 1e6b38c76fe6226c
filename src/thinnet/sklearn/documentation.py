"""What the docstrings of the two estimators have in common."""

from typing import TypeVar

T = TypeVar("T")

PARAMETERS = """hidden_layer_sizes: units of each hidden layer, such as ``(100, 50)``; a number means one layer.
activation: ``"relu"``, ``"tanh"``, ``"logistic"`` (or ``"sigmoid"``), ``"identity"``, ``"gelu"`` or ``"silu"``.
solver: ``"adam"``; ``"sgd"``, with momentum; ``"rmsprop"``; or ``"lbfgs"``, which takes all rows in each
    iteration, without dropout, and for which "auto" stands for scikit-learn's plain net.
alpha: strength of the L2 penalty, divided by the rows of a minibatch as in scikit-learn.
batch_size: the most rows in a minibatch.
learning_rate: how the learning rate changes: ``"cosine"``, ``"one_cycle"``, ``"constant"``, ``"epoch_decay"``, an
    object of `thinnet.schedules`, or, with ``solver="sgd"``, ``"invscaling"`` or ``"adaptive"`` (with other solvers
    these two are ``"constant"``). "auto" is ``"constant"`` for "sgd", else ``"cosine"``.
learning_rate_init: the learning rate to begin with, or the highest one of a schedule that rises first.
power_t: the exponent of ``"invscaling"``.
max_iter: passes, in each of which every row comes once; iterations of "lbfgs".
shuffle: whether the rows are shuffled before each pass.
random_state: fixes initial weights, masks, the order of the rows and the rows held out: a whole number, a
    ``RandomState``, or None for different ones every time.
tol: the smallest improvement that counts; for "lbfgs", the largest element of the gradient at which it ends.
verbose: whether to print a line for each pass.
warm_start: whether another call of `fit` continues from where the last one ended.
momentum: for "sgd", 0 <= momentum < 1.
nesterovs_momentum: whether "sgd" uses Nesterov's momentum.
early_stopping: whether to hold rows out, stop when their score has not risen for `n_iter_no_change` passes,
    and end with the weights that scored best.
validation_fraction: the part of the rows held out for early stopping, at least two, in proportion to the
    classes; at least one row of each class stays in training.
beta_1: for "adam", the decay of the mean of the gradients.
beta_2: for "adam", the decay of the mean of their squares.
epsilon: for "adam" and "rmsprop", added to the root of that mean.
n_iter_no_change: passes without improvement before training stops: of the validation score with
    `early_stopping`; of the loss with a constant, adaptive or inversely scaled rate. Other schedules always
    run to their end.
max_fun: the most times that "lbfgs" computes the loss.
dropout: the fraction of hidden units dropped in training, 0 <= dropout < 1.
dropout_mask: ``"element"`` drops units for each row alone, ``"batch"`` the same ones for a whole minibatch,
    which needs another normalization than ``"layernorm"``.
normalization: None, ``"batchnorm"`` or ``"layernorm"``, before each activation.
label_smoothing: what part of each label is spread over all classes in training, 0 <= label_smoothing < 1.
weight_decay: λ; each step first multiplies all weights, but no biases and gains, by 1 - rate · λ (Loshchilov and
    Hutter, arXiv 1711.05101). "lbfgs" has none.
standardize: whether to bring each column of numbers to mean 0 and standard deviation 1, as the training rows have
    it, within ± 10, and to center columns of zeros and ones, and bins, at half their size; columns that are constant
    in training are left out.
categorical_features: which columns are categories: ``"from_dtype"`` takes those of text and of a category dtype for
    it, a list names more, by name, number or a bool for each, and None means none.
numeric_bins: into how many bins each column of numbers is encoded (piecewise-linear encoding); None for none.
ensemble: how many nets are trained side by side, on other seeds; their scores are averaged.
tune: whether `fit` first chooses among a few settings by rows held out, then trains on all rows with the best.
precision: ``"bfloat16"`` to multiply in mixed precision, on a processor with AMX; not with "lbfgs".
ema_decay: with a number above 0, the nets end with the exponential average of their weights over the steps, and are
    validated with it; 0.99 averages over about 100 steps. Not with "lbfgs" and `partial_fit`.
mixup: with a number above 0, each row of a minibatch, and its target, is mixed with another row's by a share drawn
    from Beta(mixup, mixup); the training loss is that of the mixed rows. Not with "lbfgs"."""

ATTRIBUTES = """settings_: the values that were used for parameters that were "auto"; see `thinnet.sklearn.settings`.
net_: the `FullyConnectedNet`, the first one of an ensemble. It takes the rows that `encoder_` makes, or raw rows where
    that is None, and can be saved and exported by itself.
nets_: all nets of the ensemble.
encoder_: what was learned about the columns of a table: categories, what stands for missing numbers, bins; None where
    rows are taken as they are.
best_params_: the settings that ``tune=True`` chose; None without it.
coefs_: the weights of each layer, (inputs, outputs).
intercepts_: the biases of each layer.
loss_: the training loss of the last pass.
loss_curve_: that of every pass.
best_loss_: the lowest of them; None with early stopping.
best_validation_score_: the highest of `validation_scores_`; None without early stopping.
n_iter_: passes made by the last call of `fit`, and by all calls of `partial_fit` since.
t_: rows seen, over all passes.
n_features_in_: the number of columns.
feature_names_in_: their names, where X was a data frame.
n_layers_: the number of layers, with inputs and outputs.
n_outputs_: the number of scores."""


def documented(kind: type[T]) -> type[T]:
    """Put what is common into the docstring of a class, where it says {parameters} and {attributes}."""
    for mark, text in (("{parameters}", PARAMETERS), ("{attributes}", ATTRIBUTES)):
        before, _, after = (kind.__doc__ or "").partition(mark)
        indent = before.rpartition("\n")[2]  # of which newer Pythons leave less
        kind.__doc__ = before + text.replace("\n", f"\n{indent}") + after
    return kind
