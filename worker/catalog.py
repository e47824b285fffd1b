"""Writes `shared/catalog.json` from the registries: `python -m worker.catalog`."""

import sys
from typing import Any

from shared import catalog
from worker.registry import SLOTS, Entry
from worker.training.meta_model import describe


def generate() -> catalog.Catalog:
    """The catalogue as the registries give it now."""
    return {
        slot: {name: _described(slot, entry) for name, entry in registry.entries().items()}
        for slot, registry in SLOTS.items()
    }


def fresh() -> bool:
    """Whether the committed file is what the registries give now."""
    return catalog.PATH.exists() and catalog.PATH.read_bytes() == catalog.dump(generate())


def _described(slot: str, entry: Entry) -> dict[str, Any]:
    described = {
        "summary": entry.summary,
        "source": entry.source,
        "parameters": entry.schema(),
        # What a bare value stands for: the first parameter of the signature.
        "short_form": next(iter(entry.parameters.model_fields), None),
    }
    facts = dict(entry.facts)
    if slot == "architectures":
        at = facts["parameter_count_at"]
        image_shape = (at["channels"], at["image_size"], at["image_size"])
        facts["parameter_count"] = {
            **describe(entry.name, {}, image_shape, at["classes"]),
            "reference": facts.pop("reference"),
        }
    return described | facts


def main() -> None:
    """Write the file anew and say whether it changed."""
    was_fresh = fresh()
    catalog.PATH.write_bytes(catalog.dump(generate()))
    sys.stdout.write(f"{catalog.PATH.name}: {'unchanged' if was_fresh else 'written anew'}\n")


if __name__ == "__main__":
    main()
