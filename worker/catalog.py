"""The generator of `shared/catalog.json` and of the plots: `python -m worker.catalog`."""

import sys
from dataclasses import asdict
from typing import Any

from shared import catalog
from worker.plots import generate as plots
from worker.registry import SLOTS, Entry
from worker.training.meta_model import build_on_meta, count_parameters
from worker.training.metrics import METRICS, Metric


def generate() -> catalog.Catalog:
    """Return the catalogue of the methods that are registered and the metrics that are declared."""
    methods = {
        slot: {name: _method(slot, entry) for name, entry in registry.entries().items()}
        for slot, registry in SLOTS.items()
    }
    return methods | {catalog.METRICS: {metric.name: _metric(metric) for metric in METRICS}}


def is_fresh(generated: catalog.Catalog) -> bool:
    """Return whether the committed file is this catalogue."""
    return catalog.PATH.exists() and catalog.PATH.read_bytes() == catalog.dump(generated)


def _method(slot: str, entry: Entry) -> dict[str, Any]:
    method = {
        "summary": entry.summary,
        "description": entry.description,
        "source": entry.source,
        "parameters": entry.schema(),
        # The parameter that a bare value sets: the first of the signature.
        "short_form": next(iter(entry.parameters.model_fields), None),
    }
    facts = dict(entry.facts)
    if slot == "architectures":
        at = facts["parameter_count_at"]
        image_shape = (at["channels"], at["image_size"], at["image_size"])
        model = build_on_meta(entry.name, entry.defaults, image_shape, at["classes"])
        facts["parameter_count"] = {
            **count_parameters(model),
            "reference": facts.pop("reference"),
        }
    return method | facts


def _metric(metric: Metric) -> dict[str, Any]:
    conditions = asdict(metric.conditions)
    return {
        "split": metric.split,
        "unit": metric.unit,
        "direction": metric.direction,
        "summary": metric.summary,
        "conditions": {name: value for name, value in conditions.items() if value is not None},
    }


def main() -> None:
    """Write the catalogue and the plots, and print what changed."""
    methods, curves = generate(), plots.generate()
    for path, is_committed, content in (
        (catalog.PATH, is_fresh(methods), catalog.dump(methods)),
        (catalog.PLOTS_PATH, plots.is_fresh(curves), catalog.dump_plots(curves)),
    ):
        if not is_committed:
            path.write_bytes(content)
        sys.stdout.write(f"{path.name}: {'unchanged' if is_committed else 'written'}\n")


if __name__ == "__main__":
    main()
