"""What the docstrings of the two estimators share."""

from typing import TypeVar

T = TypeVar("T")

PARAMETERS = """hidden_layer_sizes: units of each hidden layer, such as ``(100, 50)``; a number means one layer.
activation: ``"relu"``, ``"tanh"``, ``"logistic"`` (or ``"sigmoid"``), ``"identity"``, ``"gelu"`` or ``"silu"``.
solver: ``"adam"``; ``"sgd"``, with momentum; ``"rmsprop"``; or ``"lbfgs"``, which uses all rows in each
    iteration, without dropout, and for which "auto" stands for scikit-learn's plain net.
alpha: strength of the L2 penalty, divided by the rows of a minibatch as in scikit-learn.
batch_size: the maximum number of rows in a minibatch.
learning_rate: how the learning rate changes: ``"cosine"``, ``"one_cycle"``, ``"constant"``, ``"epoch_decay"``, an
    object of `thinnet.schedules`, or, with ``solver="sgd"``, ``"invscaling"`` or ``"adaptive"`` (with other solvers
    these two are ``"constant"``). "auto" is ``"constant"`` for "sgd", else ``"cosine"``.
learning_rate_init: the initial learning rate, or the highest one of a schedule that rises first.
power_t: the exponent of ``"invscaling"``.
max_iter: the number of passes, each of which uses every row once; for "lbfgs", of iterations.
shuffle: whether the rows are shuffled before each pass.
random_state: fixes initial weights, masks, the order of the rows and the rows held out: an integer, a
    ``RandomState``, or None for different ones every time.
tol: the smallest improvement that counts; "lbfgs" ends when no element of the gradient is larger than this.
verbose: whether to print a line for each pass.
warm_start: whether another call of `fit` continues from where the last one ended.
momentum: for "sgd", 0 <= momentum < 1.
nesterovs_momentum: whether "sgd" uses Nesterov's momentum.
early_stopping: whether to hold rows out, stop when their score has not risen for `n_iter_no_change` passes,
    and end with the weights that scored best.
validation_fraction: the fraction of the rows held out for early stopping, at least two rows, in proportion to
    the classes; at least one row of each class stays in training.
beta_1: for "adam", the decay of the mean of the gradients.
beta_2: for "adam", the decay of the mean of their squares.
epsilon: for "adam" and "rmsprop", added to the root of that mean.
n_iter_no_change: passes without improvement before training stops: of the validation score with
    `early_stopping`; of the loss with a constant, adaptive or inversely scaled rate. Other schedules always
    run to their end.
max_fun: the maximum number of times that "lbfgs" computes the loss.
dropout: the fraction of hidden units dropped in training, 0 <= dropout < 1.
dropout_mask: ``"element"`` drops units for each row separately; ``"batch"`` drops the same ones for a whole
    minibatch, and needs a normalization other than ``"layernorm"``.
normalization: None, ``"batchnorm"`` or ``"layernorm"``, before each activation.
label_smoothing: the fraction of each label that is spread over all classes in training, 0 <= label_smoothing < 1.
weight_decay: λ; each step first multiplies all weights, but not biases and gains, by 1 - rate · λ (Loshchilov and
    Hutter, arXiv 1711.05101). "lbfgs" has none.
standardize: whether to scale each column of numbers to mean 0 and standard deviation 1 on the training rows, clipped
    to ± 10, and to center and halve columns of zeros and ones, and bins; columns that are constant in training are
    left out.
categorical_features: which columns are categories: with ``"from_dtype"``, those of text or of a category dtype; a
    list adds others, by name, number or a bool for each column; None means none.
numeric_bins: the most bins that each column of numbers is encoded into (piecewise-linear encoding); None for none.
ensemble: how many nets to train together, each with its own seed; their scores are averaged.
tune: whether `fit` first chooses among a few settings on held-out rows, then trains on all rows with the best.
precision: ``"bfloat16"`` to multiply in mixed precision, on a processor with AMX; not with "lbfgs".
ema_decay: above 0, the nets end with an exponential moving average of their weights over the steps, and are
    validated with it; 0.99 averages over about 100 steps. Not with "lbfgs" or `partial_fit`.
mixup: above 0, each row of a minibatch and its target are mixed with another row and its target, in a proportion
    drawn from Beta(mixup, mixup); the training loss is that of the mixed rows. Not with "lbfgs"."""

ATTRIBUTES = """settings_: the values that were used for parameters that were "auto"; see `thinnet.sklearn.settings`.
net_: the `FullyConnectedNet`, the first one of an ensemble. It takes raw rows. It can be exported by itself, and also
    saved if `encoder_` is None.
nets_: all nets of the ensemble.
encoder_: what was learned about the columns of a table: categories, what replaces missing numbers, bins; None if rows
    are used as they are.
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
feature_names_in_: their names, if X was a data frame.
n_layers_: the number of layers, including inputs and outputs.
n_outputs_: the number of scores."""


def documented(kind: type[T]) -> type[T]:
    """Insert the shared parts into the docstring of a class, at {parameters} and {attributes}."""
    for mark, text in (("{parameters}", PARAMETERS), ("{attributes}", ATTRIBUTES)):
        before, _, after = (kind.__doc__ or "").partition(mark)
        indent = before.rpartition("\n")[2]  # newer Pythons strip some of it
        kind.__doc__ = before + text.replace("\n", f"\n{indent}") + after
    return kind
