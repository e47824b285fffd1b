"""The checklist of 37 reasons why a network does not work, and what covers each of them here.

Rules name the reasons that they cover at their registration; here are the reasons' titles, and what
covers a reason besides rules: an analysis, or a test that shows that it cannot happen.
"""

from dataclasses import dataclass

from worker.registry import diagnostics


@dataclass(frozen=True)
class Reason:
    """A reason of the checklist."""

    title: str
    #: The analyses of a checkpoint that show it.
    analyses: tuple[str, ...] = ()
    #: Why it cannot happen in a job, and the test that shows that.
    impossible: str | None = None
    test: str | None = None


def _by_construction(title: str, impossible: str, test: str) -> Reason:
    return Reason(title, impossible=impossible, test=test)


#: By their numbers from 1.
REASONS: tuple[Reason, ...] = (
    Reason("The input data are not what they should be"),
    Reason("The network does no better than on random inputs"),
    _by_construction(
        "The data loader delivers other samples or labels than the data set has",
        "images and labels are read from one place by the same indices",
        "tests/worker/data/test_loading.py::"
        "test_tensors_own_their_memory_and_keep_the_order_of_the_indices",
    ),
    Reason("The output does not depend on the input"),
    Reason("The target has too little to do with the input", analyses=("label_errors",)),
    Reason("Too many labels are wrong", analyses=("label_errors",)),
    _by_construction(
        "The samples are not shuffled",
        "each epoch takes its samples in another random order",
        "tests/worker/training/test_seed.py::test_each_epoch_has_another_permutation",
    ),
    Reason("Some classes have far more samples than others"),
    Reason("There are too few training samples", analyses=("loss_estimate",)),
    Reason("A batch has samples of one class only"),
    Reason("The batch is too large or too small"),
    Reason("The inputs are not standardized"),
    Reason("Augmentation or regularization is too strong"),
    Reason("The inputs are prepared differently than for the pretrained weights"),
    _by_construction(
        "Training, validation and test data are prepared differently",
        "all splits have the normalization of the training split",
        "tests/worker/diagnostics/test_reasons.py::test_every_split_has_the_same_normalization",
    ),
    Reason("A simpler form of the problem was not tried first"),
    Reason("The loss before the first step is not the loss of guessing"),
    Reason("The loss function is wrong"),
    Reason("The loss receives other inputs than it expects"),
    Reason("The parts of the loss are weighted badly"),
    Reason("Only the loss is watched, and no other metric"),
    Reason("A layer computes something wrong"),
    Reason("A layer is frozen or unused by mistake"),
    Reason("The network is too small"),
    Reason("A layer inside the network has the wrong size"),
    Reason("The gradient is wrong, and nobody has checked it"),
    Reason("The network cannot even learn a few samples"),
    Reason("The initial weights are bad"),
    Reason("The hyperparameters are bad"),
    Reason("There is too much regularization, or too little"),
    Reason("The training was too short"),
    _by_construction(
        "Training mode and evaluation mode are mixed up",
        "the loop sets the mode of every layer before each epoch and each validation",
        "tests/worker/training/test_epoch_metrics.py::"
        "test_generalization_gap_is_measured_in_evaluation_mode",
    ),
    Reason("Nobody looks at activations, weights and updates", analyses=("curvature",)),
    Reason("Another optimizer would do better"),
    Reason("Gradients vanish or explode"),
    Reason("The learning rate is too high or too low"),
    Reason("Numbers are not finite"),
)


def rules_for(number: int) -> list[str]:
    """Return the names of the rules that cover a reason."""
    entries = diagnostics.entries().items()
    return [name for name, entry in entries if number in entry.facts["reasons"]]


def markdown_rows() -> list[str]:
    """Return the rows of the table in `docs/diagnostics.md`."""
    rows: list[str] = []
    for number, reason in enumerate(REASONS, start=1):
        covered = [f"`{name}`" for name in rules_for(number)]
        covered += [f"analysis `{name}`" for name in reason.analyses]
        if reason.impossible:
            covered.append(f"impossible: {reason.impossible}")
        rows.append(f"| {number} | {reason.title} | {', '.join(covered)} |")
    return rows
