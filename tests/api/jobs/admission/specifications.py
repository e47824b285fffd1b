"""Random specifications of small networks: most are valid, some are not.

Parameters are drawn from the catalogue, so methods added later are drawn too.
"""

import copy
from typing import Any

from hypothesis import strategies as st

from api.catalog.metrics import epoch_metric_names
from shared import catalog

CATALOG = catalog.load()
PATTERNS = ["head.*", "head.output", "*", "body*", "block?", "block1.conv[12]", "tail", "h["]
LEARNING_RATES = [1e-6, 0.01, 0.1, 1000]
#: Small, so that a step is fast.
WIDTHS = st.lists(st.integers(1, 5), min_size=1, max_size=3)
PARAMETERS: dict[str, st.SearchStrategy[Any]] = {
    "hidden_units": WIDTHS,
    "widths": WIDTHS,
    "power_iterations": st.integers(1, 2),
    "warmup": st.integers(0, 1),  # the shortest job makes one update
    "only": st.none() | st.sampled_from(PATTERNS),
    "monitor": st.sampled_from(["val_loss", "train_loss", "learning_rate"]),
}
#: Changes, as path and value, that make most specifications invalid.
CHANGES: list[tuple[str, Any]] = [
    ("seed", 1),  # valid: the first entry is drawn far more often than the others
    ("dataset/image_size", 4),
    ("dataset/image_size", 2000),
    ("dataset/channels", 2),
    ("dataset/train", 0),
    ("dataset/train", 2000),
    ("dataset/target", "size"),
    ("dataset/file", "a.csv"),
    ("dataset/normalization", "of_weights"),
    ("dataset", 3),
    ("dataset", None),
    ("architecture/name", "vgg_smal"),
    ("architecture/name", "resnet50"),
    ("architecture/hidden_units", [0]),
    ("architecture/widths", [1] * 6),
    ("architecture/activation", "step"),
    ("initializer", {"name": "he_normal", "overrides": {"tail.*": "zeros"}}),
    ("initializer", {"name": "he_normal", "overrides": {"head.*": {"name": "normal", "scale": 0}}}),
    ("regularizers", {"dropout": {"rate": 1}}),
    ("regularizers", {"l2": {"weight": 0.1, "only": "tail"}, "l1": {"only": "x"}}),
    ("regularizers", {"mixup": True, "label_smoothing": 0.1, "vat": True, "batch_norm": True}),
    ("augmentation", {"rotation": 10, "horizontal_flip": True}),
    ("augmentation", {"rotation": -1}),
    ("augmentation", {"brightness": [0.5]}),
    ("loss", "hinge"),
    ("loss", "l1"),
    ("loss", "logistic"),
    ("optimizer/learning_rate", 0),
    ("optimizer/learning_rate", 1e308),
    ("optimizer", {"name": "sgd", "momentum": 0, "nesterov": True}),
    ("optimizer", {"name": "adam", "schedule": {"name": "cosine", "warmup": -1}}),
    ("optimizer", {"name": "adam", "schedule": {"name": "cosine", "warmup": 10_000_000}}),
    ("optimizer", {"name": "adam", "schedule": {"name": "reduce_on_plateau", "monitor": "x"}}),
    ("optimizer", {"name": "sgd", "gradient_clipping": {"value": 1, "norm": 1}}),
    ("optimizer", {"name": "sgd", "gradient_clipping": {"value": 1e39}}),
    ("training/batch_size", 1),
    ("training/batch_size", 0),
    ("training/epochs", 7),
    ("training/early_stopping", {"monitor": "val_top_3_accuracy"}),
    ("training/early_stopping", {"monitor": "clipped_fraction"}),
    ("training/precision", "float8"),
    ("fine_tuning", {"stages": []}),
    (
        "fine_tuning",
        {
            "stages": [
                {
                    "name": "a",
                    "epochs": 1,
                    "optimizer": {"name": "sgd", "momentum": 0, "nesterov": True},
                }
            ]
        },
    ),
    ("fine_tuning", {"stages": [{"name": "a", "epochs": 1, "train": {"from": "tail"}}]}),
    ("fine_tuning", {"stages": [{"name": "a", "epochs": 1, "train": {"from": "flatten"}}]}),
    (
        "",
        {
            "regularizers": {"l2": {"only": "b*"}, "l1": {"only": "b*"}},
            "fine_tuning": {"stages": [{"name": "a", "epochs": 1, "train": "head"}]},
        },
    ),
    ("fine_tuning", {"weights": {"upload": "x"}, "stages": [{"name": "a", "epochs": 1}]}),
    ("checkpoints", [{"monitor": "val_accuracy", "mode": "max"}]),
    ("checkpoints", [{"monitor": "train_accuracy", "mode": "max"}]),
    ("checkpoints", [{"monitor": "val_loss", "mode": "min"}] * 2),
    ("checkpoints", [{"epoch": 1}]),
    ("metrics/top_k", [11]),
    ("metrics/top_k", [1]),
    ("resources/gpus", 65),
    ("seed", -1),
    ("learning_rate", 0.1),
]


#: Few images, so that an epoch is fast.
SMALL: dict[str, Any] = {"train": 8, "validation": 4, "test": 4}
CLASSIFICATION: dict[str, Any] = {
    "dataset": {"name": "digits", **SMALL},
    "architecture": {"name": "vgg_small", "widths": [2], "hidden_units": [3]},
    "training": {"epochs": 1},
}
REGRESSION: dict[str, Any] = {
    "dataset": {"name": "digits", "target": "rotation", **SMALL},
    "architecture": {"name": "mlp", "hidden_units": [3]},
    "training": {"epochs": 1},
}


def _value(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for the valid values of a parameter; bounds are drawn often."""
    if name in PARAMETERS:
        return PARAMETERS[name]
    if "anyOf" in schema:
        return st.one_of([_value("", part) for part in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "array":
        length = {"min_size": schema["minItems"], "max_size": schema["maxItems"]}
        return st.lists(_value("", schema["items"]), **length)
    if schema["type"] in ("integer", "number"):
        return _number(schema)
    return {"boolean": st.booleans(), "null": st.none()}[schema["type"]]


def _number(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum", 10.0))
    ends = [schema[end] for end in ("minimum", "maximum") if end in schema]
    if schema["type"] == "integer":
        return st.sampled_from(ends) | st.integers(low, min(low + 3, high))
    between = st.floats(low, high, exclude_min=low not in ends, exclude_max=high not in ends)
    return (st.sampled_from(ends) | between) if ends else between


@st.composite
def _method(draw: st.DrawFn, slot: str, name: str) -> dict[str, Any]:
    """Draw parameters of a method; some are left out."""
    schema = CATALOG[slot][name]["parameters"]
    properties, required = schema["properties"], schema.get("required", [])
    drawn = [key for key in properties if key in required or draw(st.booleans())]
    return {key: draw(_value(key, properties[key])) for key in drawn}


@st.composite
def _choice(draw: st.DrawFn, slot: str, names: list[str] | None = None) -> Any:
    """Draw a method in its object form, or only its name."""
    name = draw(st.sampled_from(names or sorted(CATALOG[slot])))
    if draw(st.booleans()) and not CATALOG[slot][name]["parameters"].get("required"):
        return name
    return {"name": name, **draw(_method(slot, name))}


@st.composite
def _named(draw: st.DrawFn, slot: str, names: list[str]) -> dict[str, Any]:
    """Draw several methods by name."""
    chosen = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    return {name: draw(_method(slot, name)) for name in chosen}


@st.composite
def _optimizer(draw: st.DrawFn) -> Any:
    chosen = draw(_choice("optimizers"))
    if isinstance(chosen, str):
        return chosen
    if not chosen.get("momentum", 0.9):
        chosen.pop("nesterov", None)
    chosen["learning_rate"] = draw(st.sampled_from(LEARNING_RATES))
    chosen["schedule"] = draw(_choice("schedules"))
    kinds = st.sampled_from(["value", "norm", "global_norm"])
    bounds = st.dictionaries(kinds, st.sampled_from([1e-3, 1.0, 1e30]), min_size=1, max_size=1)
    chosen["gradient_clipping"] = draw(st.none() | bounds)
    return chosen


@st.composite
def _dataset(draw: st.DrawFn, *, is_number: bool, is_padded: bool) -> dict[str, Any]:
    name = draw(st.sampled_from(["digits"] if is_number else ["digits", "synthetic"]))
    return {
        "name": name,
        "target": "rotation" if is_number else None,
        # Two blocks of the largest kernels without padding reduce 40 pixels to 1.
        "image_size": draw(st.sampled_from([8, 9, 16])) if is_padded else 40,
        "channels": draw(st.sampled_from([None, 1, 3])),
        "train": draw(st.sampled_from([17, 2, 3, 1])),
        "validation": draw(st.sampled_from([1, 8])),
        "test": 2,
        "normalization": draw(st.sampled_from([None, "standardize", "unit", "none"])),
    }


@st.composite
def _architecture(draw: st.DrawFn) -> Any:
    name = draw(st.sampled_from(["linear", "mlp", "vgg_small"]))
    parameters = draw(_method("architectures", name))
    if name == "vgg_small":
        parameters["widths"] = parameters.get("widths", [2, 3])[:2]
    if name != "linear":
        parameters.setdefault("hidden_units", [4])
    return {"name": name, **parameters}


@st.composite
def _stages(draw: st.DrawFn) -> dict[str, Any]:
    parts = st.sampled_from(["head", "all", {"from": "head.*"}, {"from": "head.output"}])
    stages = [
        {
            "name": name,
            "epochs": 1,
            "train": draw(parts),
            "optimizer": draw(st.none() | _optimizer()),
            "early_stopping": draw(st.none() | st.just({"patience": 1, "restore_best": True})),
        }
        for name in draw(st.sampled_from([["only"], ["first", "second"]]))
    ]
    widths = draw(st.lists(st.integers(1, 4), max_size=2))
    head = {"hidden_units": widths, "dropout": draw(st.sampled_from([0, 0.3]))}
    return {"weights": None, "head": head, "stages": stages}


@st.composite
def specification(draw: st.DrawFn) -> Any:
    """Draw a specification; two thirds have no change from `CHANGES`."""
    is_number = draw(st.integers(0, 3)) == 0
    losses, regularizers = CATALOG["losses"], CATALOG["regularizers"]
    architecture = draw(_architecture())
    is_padded = architecture.get("padding", "same") == "same"
    sets = {name: set(regularizers[name].get("sets", ())) for name in regularizers}
    fitting = [
        name
        for name in sorted(regularizers)
        if not (is_number and regularizers[name].get("needs_classes"))
        and (not sets[name] or architecture["name"] != "linear")
    ]
    task = "regression" if is_number else "classification"
    names = epoch_metric_names(CATALOG, task, top_k=[2], is_clipped=False, is_mixed=False)
    monitors = st.sampled_from([name for name in names if name.startswith("val_")])
    augmentations = [
        name
        for name, entry in CATALOG["augmentations"].items()
        if not (is_number and entry.get("turns"))
    ]
    losses_of_task = [
        name
        for name, entry in losses.items()
        if (entry.get("target") == "number") == is_number and "classes" not in entry
    ]
    loss = draw(_choice("losses", sorted(losses_of_task)))
    if not losses[loss if isinstance(loss, str) else loss["name"]].get("takes_probabilities"):
        fitting = [name for name in fitting if not regularizers[name].get("makes_probabilities")]
    training = {
        "batch_size": draw(st.sampled_from([2, 5, 65_536])),
        "precision": draw(st.sampled_from(["float32", "bfloat16", "float16"])),
        "deterministic": draw(st.booleans()),
        "early_stopping": draw(st.none() | st.just({"patience": 1})),
    }
    spec: dict[str, Any] = {
        "seed": draw(st.sampled_from([0, 2**53 - 1])),
        "dataset": draw(_dataset(is_number=is_number, is_padded=is_padded)),
        "architecture": architecture,
        "initializer": draw(_choice("initializers")),
        "regularizers": draw(_named("regularizers", fitting)),
        "augmentation": draw(_named("augmentations", sorted(augmentations))),
        "loss": loss,
        "optimizer": draw(_optimizer()),
        "training": training,
        "fine_tuning": draw(st.none() | _stages()),
        "checkpoints": draw(
            st.lists(monitors.map(lambda name: {"monitor": name, "mode": "min"}), max_size=1)
        )
        + draw(st.sampled_from([[], [{"epoch": 0}], [{"every_epochs": 1}]])),
    }
    if spec["fine_tuning"] is None:
        training["epochs"] = draw(st.integers(1, 2))
    if not is_number:
        spec["metrics"] = {"top_k": draw(st.sampled_from([[1, 2], [2], [10, 1, 2]]))}
    if draw(st.integers(0, 2)) == 0:
        for path, value in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
            set_value(spec, path, copy.deepcopy(value))
    return spec


def set_value(spec: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path, if the path exists; an empty path updates several fields."""
    if not path:
        spec |= value
        return
    *parents, last = path.split("/")
    for part in parents:
        spec = spec.setdefault(part, {})
        if not isinstance(spec, dict):
            return
    spec[last] = value
