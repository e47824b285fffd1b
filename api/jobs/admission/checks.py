"""Admission: every check of a specification, in order."""

from collections.abc import Callable
from typing import Any

from api.http.faults import abbreviated
from api.jobs.admission import (
    absent_classes,
    availability,
    class_weights,
    dataset,
    diagnostics,
    fine_tuning,
    methods,
    monitors,
    network,
    optimizer,
    probable_mistakes,
    structure,
    tables,
    task,
    weights,
    without_effect,
)
from api.jobs.admission.draft import Context, Draft
from shared.errors import Fault, InvalidSpec

#: Each check reads the draft, fills in what it can and records faults; it does nothing where an
#: earlier fault leaves what it needs unknown, so that each fault is reported once.
CHECKS: tuple[Callable[[Draft], None], ...] = (
    # The fields: types, bounds, unknown fields
    structure.check,
    # Names and parameters of methods, by the catalogue
    dataset.check_name,
    methods.choose_architecture,
    task.choose_loss,
    methods.choose_regularizers,
    methods.choose_augmentation,
    methods.choose_initializer,
    optimizer.choose,
    diagnostics.choose_rules,
    fine_tuning.fill_stages,
    # Defaults that depend on other parts, and parts that must agree
    fine_tuning.fill_epochs,
    fine_tuning.fill_checkpoint,
    weights.check_pretrained_name,
    tables.check_methods,
    dataset.fill,
    dataset.fill_normalization,
    task.check_loss,
    class_weights.fill,
    methods.check_regularized_task,
    diagnostics.check_task,
    task.fill_top_k,
    methods.check_augmentation,
    methods.check_image_size,
    weights.check_pretrained_channels,
    monitors.fill_checkpoints,
    monitors.check_metrics,
    monitors.check_checkpoints,
    network.check_gpus,
    network.check_gpu_memory,
    methods.check_regularized_architecture,
    optimizer.check_requirements,
    network.check_batch,
    optimizer.check_warm_up,
    # The network itself, by the sidecar
    network.prepare,
    weights.check_file,
    network.describe,
    # What the job reads, by the sidecar
    availability.check_dataset,
    availability.check_pretrained,
)

#: Each check of a valid draft records what is probably a mistake.
WARNINGS: tuple[Callable[[Draft], None], ...] = (
    probable_mistakes.check_batch_size,
    probable_mistakes.check_training_split,
    absent_classes.check,
    probable_mistakes.check_parameters,
    probable_mistakes.check_early_stopping,
    probable_mistakes.check_schedule,
    probable_mistakes.check_batch_norm,
    probable_mistakes.check_checkpoints,
    probable_mistakes.check_top_k,
    without_effect.check_diagnostics,
    without_effect.check_fill_mode,
)


def check(raw: Any, context: Context) -> Draft:
    """Check a specification, fill in its defaults and record warnings.

    Args:
        raw: the body as it was posted.
        context: what the checks read besides.

    Returns:
        The draft, without faults: `filled` is the whole specification, and `warnings` are what it
        probably has by mistake.

    Raises:
        InvalidSpec: with every fault.
        Unavailable: the sidecar does not answer, and there is no fault to report without it.
    """
    if not isinstance(raw, dict):
        raise InvalidSpec([Fault("", f"is {abbreviated(raw)}; it must be an object")])
    draft = Draft(raw, context)
    for run in CHECKS:
        run(draft)
    draft.faults.raise_if_any()
    for run in WARNINGS:
        run(draft)
    return draft
