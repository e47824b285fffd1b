"""The metrics that the catalogue declares: which of them a job reports."""

import re
from collections.abc import Iterable
from typing import Any, Literal

from shared.catalog import METRICS, Catalog

TaskName = Literal["classification", "regression"]


def epoch_metric_names(
    catalog: Catalog,
    task: TaskName,
    *,
    top_k: Iterable[int] = (),
    is_clipped: bool,
    is_mixed: bool,
) -> list[str]:
    """Return the metrics that each epoch of a job reports, for early stopping and checkpoints.

    Args:
        catalog: the catalogue, which declares the metrics.
        task: the task of the job's network.
        top_k: the k of the job's top-k accuracies; 1 is the accuracy.
        is_clipped: whether the job clips gradients.
        is_mixed: whether a regularizer mixes the targets of training samples.
    """
    job = {"task": task, "mixed_targets": is_mixed, "gradient_clipping": is_clipped}
    ks = sorted({k for k in top_k if k > 1})
    names: list[str] = []
    for name, metric in catalog[METRICS].items():
        if metric["split"] == "test" or not metric["conditions"].items() <= job.items():
            continue
        names += [name.format(k=k) for k in ks] if "{k}" in name else [name]
    return names


def metric_of(catalog: Catalog, name: str) -> dict[str, Any] | None:
    """Return what the catalogue declares of a metric; None for an unknown name or a template.

    Args:
        catalog: the catalogue.
        name: of the metric; `val_top_5_accuracy` is declared as `val_top_{k}_accuracy`.
    """
    if "{" in name:
        return None
    return catalog[METRICS].get(re.sub(r"(?<=_top_)[0-9]+(?=_)", "{k}", name))
