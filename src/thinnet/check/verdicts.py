"""The verdicts as data: a stable name, how grave it is, the cause in one line, and the mend.

``{keep}`` and ``{drop}`` in a mend stand for the probabilities of keeping and of dropping in the dialect of the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["fault", "note"]

ERROR_RATE = 1e-4  # the bounds in chance.py keep it far below
STATISTICAL = {
    "wrong-rate",
    "keep-and-drop-swapped",
    "dialect-contradiction",
    "mask-shared-across-batch",
    "mask-depends-on-input",
    "same-mask-every-call",
    "same-mask-every-step",
    "dropout-never-called",
    "dropout-on-output-layer",
    "inactive-in-training",
    "new-mask-in-backward",
}


@dataclass(frozen=True)
class Verdict:
    """One way in which layer code can be wrong, or worth a remark."""

    name: str
    severity: Severity
    cause: str
    mend: str

    @property
    def error_rate(self) -> float | None:
        """What the share of right implementations that get this verdict stays below, where chance plays a part."""
        return ERROR_RATE if self.name in STATISTICAL else None


def _faults(**rows: tuple[str, str]) -> list[Verdict]:
    return [Verdict(name.replace("_", "-"), "fault", *row) for name, row in rows.items()]


def _notes(**rows: tuple[str, str]) -> list[Verdict]:
    return [Verdict(name.replace("_", "-"), "note", *row) for name, row in rows.items()]


RUNNING = _faults(
    unimplemented=(
        "the function is not written yet",
        "Write it; it must return what its docstring says instead of None.",
    ),
    crashed=("the function stops with an error", "Mend the line named in the evidence."),
    timed_out=("the function did not come to an end in time", "Look for a loop that does not end, or vectorize it."),
    out_of_memory=(
        "the function asked for more memory than is allowed",
        "Look for an array whose shape is far larger than the input's.",
    ),
    missing_package=(
        "the code needs a package or a file that is not there",
        "Install it, add the file, or remove the import if nothing here needs it.",
    ),
    cannot_import=(
        "the file cannot be imported, so that nothing in it can be checked",
        "Mend the line named in the evidence; `python FILE` must run without an error.",
    ),
    function_missing=("a function that is expected is not there", "Write it, under exactly this name."),
    wrong_return=(
        "the function returns something of another form than its callers expect",
        "Return what the evidence names, in that order.",
    ),
) + _notes(
    not_checked=("this could not be checked", "Where the evidence names another function, mend that one first."),
    old_python=(
        "the file is written for Python 2; it was checked with its old spellings replaced",
        "Write print(...), .items() and `except Error as error`.",
    ),
    package_absent=(
        "an import was not found; the rest was checked without it",
        "Install the package, or remove the import if nothing needs it.",
    ),
    follows_from_layers=(
        "something comes out wrong, and only because of the layers that are called",
        "Mend the layers; nothing need be changed here.",
    ),
    cache_changed=(
        "backward changes what forward left in the cache",
        "Compute into a new array, so that backward can be called twice.",
    ),
)

DROPOUT = _faults(
    mask_not_applied_in_backward=(
        "backward lets the gradient through as if nothing had been dropped",
        "Keep the mask in the cache, and return dout * mask (the scaled mask, if forward scales).",
    ),
    new_mask_in_backward=(
        "backward draws a mask of its own instead of using that of forward",
        "Put forward's mask into the cache and use it in backward; draw nothing there.",
    ),
    mask_inverted_in_backward=(
        "backward lets through what forward dropped, and stops what it kept",
        "Multiply dout by the same mask as forward did, not by its complement.",
    ),
    scaled_differently_in_backward=(
        "backward scales by another factor than forward",
        "The derivative of out = x * mask / {keep} is mask / {keep}: scale dout as x was scaled.",
    ),
    scaled_by_wrong_probability=(
        "the scale is not that of the units kept, so that the mean is not preserved",
        "Divide by the probability of keeping, which is {keep} here.",
    ),
    not_scaled_in_training=(
        "units are dropped but the rest is not scaled up, in training or at test, so that the two modes differ in mean",
        "Divide the mask by the probability of keeping, {keep}, in training (inverted dropout).",
    ),
    scaled_at_test=(
        "the output is scaled at test, where nothing is dropped and training has its own scale",
        "Return x unchanged in test mode.",
    ),
    active_at_test=(
        "units are dropped at test, so that predictions are random",
        "Return x unchanged where the mode is test.",
    ),
    inactive_in_training=(
        "nothing is dropped in training",
        "Draw a mask where the mode is train, and multiply x by it.",
    ),
    keep_and_drop_swapped=(
        "p is taken for the probability of keeping where it is that of dropping, or the other way round",
        "Here a unit is kept with probability {keep}: mask = np.random.rand(*x.shape) < {keep}.",
    ),
    dialect_contradiction=(
        "the code says that p means one thing and does the other",
        "Decide what p means, and make the docstring and the code agree (or name it with --dialect).",
    ),
    mask_shared_across_batch=(
        "one draw decides for a whole row, column or batch instead of for each element",
        "Draw a mask of the shape of x: np.random.rand(*x.shape).",
    ),
    mask_depends_on_input=(
        "which units are dropped depends on the values of x",
        "Draw the mask from random numbers alone, and keep it in the cache as it was drawn.",
    ),
    same_mask_every_call=(
        "every call drops the same units, though no seed is given",
        "Reseed only where dropout_param has a seed, or not at all.",
    ),
    input_mutated=(
        "the function changes an array that it was given",
        "Work on a new array: out = x * mask instead of x *= mask.",
    ),
    dtype_changed=(
        "the output has another dtype than the input",
        "End with out = out.astype(x.dtype, copy=False), or make the mask of x's dtype.",
    ),
    shape_changed=("the result has another shape than it must have", "Return an array of the shape in the evidence."),
    wrong_rate=(
        "the fraction dropped is neither p nor 1 - p",
        "A unit must be kept with probability {keep}: mask = np.random.rand(*x.shape) < {keep}.",
    ),
    values_changed=(
        "what is kept is not a multiple of the input, by one factor for all",
        "A mask has two values only, 0 and the scale: out = x * mask.",
    ),
) + _notes(
    classic_scaling=(
        "classic dropout: unscaled in training, multiplied by the probability of keeping at test",
        "Nothing is wrong; the courses ask for inverted dropout, which scales in training.",
    ),
    seed_ignored=(
        "dropout_param['seed'] does not repeat the mask, so that gradients cannot be checked numerically",
        "Where dropout_param has a seed, call np.random.seed(seed) before the draw.",
    ),
    no_backward_at_test=(
        "backward does not give the gradient of the test mode",
        "Where the mode was test, return dout as forward returned x.",
    ),
)

NET = _faults(
    dropout_never_called=(
        "the net takes a dropout argument and drops nothing",
        "Call dropout_forward after each ReLU where dropout is in use.",
    ),
    dropout_backward_never_called=(
        "the net drops units in forward and forgets them in backward",
        "Call dropout_backward on the way back, before relu_backward.",
    ),
    dropout_on_output_layer=(
        "the scores themselves are dropped",
        "Apply dropout after the hidden layers only.",
    ),
    regularisation_missing=(
        "the L2 penalty 0.5 * reg * sum(W * W) is missing",
        "Add 0.5 * reg * np.sum(W * W) to the loss and reg * W to the gradient, for each weight matrix.",
    ),
    regularisation_scaled=(
        "the L2 penalty has another factor than 0.5 * reg",
        "Use 0.5 * reg * np.sum(W * W) in the loss and reg * W in the gradient.",
    ),
    regularisation_of_biases=(
        "biases, or the scales and shifts of normalization, are penalized too",
        "Penalize the weight matrices W only.",
    ),
    same_mask_every_step=(
        "the net drops the same units at every step, though no seed is given",
        "Give dropout a seed only where the net was given one.",
    ),
) + _notes(
    parameter_names=(
        "the parameters have other names than the courses'",
        "Call the first layer's parameters W1 and b1; the courses' notebooks ask for these names.",
    ),
    dropout_before_relu_or_norm=(
        "dropout stands before the ReLU or the normalization",
        "The usual order is affine, normalization, ReLU, dropout; before the ReLU it comes to the same, before "
        "normalization it disturbs the statistics.",
    ),
)

LAYERS = _faults(
    wrong_output=("forward gives other values than it should", "Compare with the formula in the docstring."),
    wrong_gradient=("a gradient is wrong", "Derive it again for the argument and the element named."),
    gradient_scaled=("a gradient is wrong by one factor", "Look for a factor that is missing or counted twice."),
    gradient_sign=("a gradient has the wrong sign", "Turn the sign round."),
    bias_gradient_averaged=(
        "the gradient of the bias is averaged over the batch",
        "Sum over the rows, np.sum(dout, axis=0); the loss has divided by the batch size already.",
    ),
    missing_mean_term=(
        "the gradient lacks the term through the mean",
        "The mean depends on x as well: add its part, which makes dx sum to zero over the batch.",
    ),
    missing_variance_term=(
        "the gradient lacks the term through the variance",
        "The variance depends on x as well: add its part.",
    ),
    missing_mean_and_variance_terms=(
        "the gradient treats the mean and the variance as constants",
        "Both depend on x: add the terms through them.",
    ),
    wrong_axis=(
        "the statistics are taken along the wrong axis",
        "Batch normalization takes them over the rows (axis 0), layer normalization over the columns (axis 1).",
    ),
    unstable=(
        "large scores overflow",
        "Subtract each row's maximum before np.exp; the result is the same.",
    ),
    epsilon_missing=("a constant feature is divided by zero", "Divide by np.sqrt(var + eps)."),
    running_statistics_not_updated=(
        "training does not update the running mean and variance",
        "Store running = momentum * running + (1 - momentum) * batch into bn_param in train mode.",
    ),
    running_momentum_swapped=(
        "the momentum weighs the new statistics instead of the old",
        "Use running = momentum * running + (1 - momentum) * batch.",
    ),
    running_statistics_wrong=(
        "the running statistics are not the weighted mean of old and new",
        "Use running = momentum * running + (1 - momentum) * batch.",
    ),
    running_statistics_updated_at_test=(
        "test mode changes the running statistics",
        "Update them in train mode only.",
    ),
    batch_statistics_at_test=(
        "test mode normalizes by the statistics of the test batch",
        "Use running_mean and running_var in test mode.",
    ),
    running_statistics_in_training=(
        "train mode normalizes by the running statistics",
        "Use the mean and variance of the batch in train mode.",
    ),
) + _notes(
    log_of_zero=(
        "the loss is infinite where the right class has a very small probability",
        "Take the logarithm before dividing: log p = shifted - log(sum(exp(shifted))).",
    ),
)

OPTIMIZERS = _faults(
    wrong_update=("the update is another than that of this rule", "Compare with the formula in the docstring."),
    update_uphill=("the update goes up the gradient", "Subtract the step from w."),
    state_not_kept=(
        "the rule's memory of earlier steps is not kept",
        "Store the state back into config before returning it.",
    ),
    bias_correction_missing=(
        "Adam's moments are not corrected for their start at zero",
        "Divide m by 1 - beta1 ** t and v by 1 - beta2 ** t.",
    ),
    step_not_counted=(
        "Adam's step t is not counted up before it is used",
        "config['t'] += 1 before the bias correction, so that the first step has t = 1.",
    ),
)

VERDICTS: dict[str, Verdict] = {verdict.name: verdict for verdict in (*RUNNING, *DROPOUT, *NET, *LAYERS, *OPTIMIZERS)}


def page() -> str:
    """All verdicts as a page of Markdown: docs/verdicts.md, which a test compares with this.

    >>> page().splitlines()[0]
    '# The verdicts of `thinnet check`'
    """
    groups = {"Running": RUNNING, "Dropout": DROPOUT, "The net": NET, "Layers and losses": LAYERS}
    groups["Optimizers"] = OPTIMIZERS
    lines = ["# The verdicts of `thinnet check`", "", "Made by `python -m thinnet.check.verdicts > docs/verdicts.md`."]
    lines += [
        "The names are stable. A fault makes a function wrong, a note does not; some notes count as a fault where"
    ]
    lines += ["the evidence is graver, and the other way round, as the report says.", ""]
    for title, group in groups.items():
        lines += [f"## {title}", "", "| verdict | | cause | mend |", "| --- | --- | --- | --- |"]
        for one in group:
            mend = one.mend.replace("{keep}", "keep").replace("{drop}", "drop").replace("|", "\\|")
            lines.append(f"| `{one.name}` | {one.severity} | {one.cause} | {mend} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
