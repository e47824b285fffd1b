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


def is_fresh() -> bool:
    """Return whether the committed file is the catalogue of the present code."""
    return catalog.PATH.exists() and catalog.PATH.read_bytes() == catalog.dump(generate())


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
    was_fresh = is_fresh()
    catalog.PATH.write_bytes(catalog.dump(generate()))
    sys.stdout.write(f"{catalog.PATH.name}: {'unchanged' if was_fresh else 'written'}\n")
    if not plots.is_fresh():
        catalog.PLOTS_PATH.write_bytes(catalog.dump_plots(plots.generate()))
        sys.stdout.write(f"{catalog.PLOTS_PATH.name}: written\n")


if __name__ == "__main__":
    main()
