"""Whole specifications over the small networks, drawn at random: most are right, some are not.

Parameters of methods are drawn from the catalogue, so a method that is added is drawn too.
"""

import copy
from typing import Any

from hypothesis import strategies as st

from api.catalog.metrics import epoch_metric_names
from shared import catalog

CATALOG = catalog.load()
PATTERNS = ["head.*", "head.output", "*", "body*", "block?", "block1.conv[12]", "tail", "h["]
LEARNING_RATES = [1e-6, 0.01, 0.1, 1000]
#: Few, so that a step stays short.
WIDTHS = st.lists(st.integers(1, 5), min_size=1, max_size=3)
OWN: dict[str, st.SearchStrategy[Any]] = {
    "hidden_units": WIDTHS,
    "widths": WIDTHS,
    "power_iterations": st.integers(1, 2),
    "warmup": st.integers(0, 1),  # the shortest training makes one update
    "only": st.none() | st.sampled_from(PATTERNS),
    "monitor": st.sampled_from(["val_loss", "train_loss", "learning_rate"]),
}
#: Changes after which a specification is wrong, or still right by luck: where, and to what.
WRONG: list[tuple[str, Any]] = [
    ("seed", 1),  # the first is drawn by far the most often, and this one is right
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
    ("resources/gpus", 2),
    ("seed", -1),
    ("learning_rate", 0.1),
]


#: Two that are right, for each change alone.
SMALL: dict[str, Any] = {"train": 8, "validation": 4, "test": 4}
CLASSES: dict[str, Any] = {
    "dataset": {"name": "digits", **SMALL},
    "architecture": {"name": "vgg_small", "widths": [2], "hidden_units": [3]},
    "training": {"epochs": 1},
}
NUMBERS: dict[str, Any] = {
    "dataset": {"name": "digits", "target": "rotation", **SMALL},
    "architecture": {"name": "mlp", "hidden_units": [3]},
    "training": {"epochs": 1},
}


def _value(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that a parameter admits, the ends of its range first."""
    if name in OWN:
        return OWN[name]
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
    """A method's parameters, some of them left out."""
    schema = CATALOG[slot][name]["parameters"]
    properties, required = schema["properties"], schema.get("required", [])
    given = [one for one in properties if one in required or draw(st.booleans())]
    return {one: draw(_value(one, properties[one])) for one in given}


@st.composite
def _choice(draw: st.DrawFn, slot: str, names: list[str] | None = None) -> Any:
    """A method with its name, or its name alone."""
    name = draw(st.sampled_from(names or sorted(CATALOG[slot])))
    if draw(st.booleans()) and not CATALOG[slot][name]["parameters"].get("required"):
        return name
    return {"name": name, **draw(_method(slot, name))}


@st.composite
def _named(draw: st.DrawFn, slot: str, names: list[str]) -> dict[str, Any]:
    """Some methods by their names."""
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
        # Two blocks of the largest filters without padding leave one pixel of 40.
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
    given = draw(_method("architectures", name))
    if name == "vgg_small":
        given["widths"] = given.get("widths", [2, 3])[:2]
    if name != "linear":
        given.setdefault("hidden_units", [4])
    return {"name": name, **given}


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
    """A specification; two of three are right as far as their parts are."""
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
    watched = st.sampled_from([one for one in names if one.startswith("val_")])
    changes = [one for one in CATALOG["augmentations"] if not is_number or one[0] in "bcwh"]
    changes = [one for one in changes if one != "horizontal_flip" or not is_number]
    kinds = [one for one in losses if (losses[one].get("target") == "number") == is_number]
    kinds = [one for one in kinds if "classes" not in losses[one]]
    loss = draw(_choice("losses", sorted(kinds)))
    if "hinge" in (loss, loss if isinstance(loss, str) else loss["name"]):
        fitting = [one for one in fitting if not regularizers[one].get("makes_probabilities")]
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
        "augmentation": draw(_named("augmentations", sorted(changes))),
        "loss": loss,
        "optimizer": draw(_optimizer()),
        "training": training,
        "fine_tuning": draw(st.none() | _stages()),
        "checkpoints": draw(
            st.lists(watched.map(lambda one: {"monitor": one, "mode": "min"}), max_size=1)
        )
        + draw(st.sampled_from([[], [{"epoch": 0}], [{"every_epochs": 1}]])),
    }
    if spec["fine_tuning"] is None:
        training["epochs"] = draw(st.integers(1, 2))
    if not is_number:
        spec["metrics"] = {"top_k": draw(st.sampled_from([[1, 2], [2], [10, 1, 2]]))}
    if draw(st.integers(0, 2)) == 0:
        for place, value in draw(st.lists(st.sampled_from(WRONG), min_size=1, max_size=3)):
            put(spec, place, copy.deepcopy(value))
    return spec


def put(spec: dict[str, Any], place: str, value: Any) -> None:
    """Change what stands at a place, and leave what has no such place as it is.

    With no place several fields are changed at once.
    """
    if not place:
        spec |= value
        return
    *way, last = place.split("/")
    for part in way:
        spec = spec.setdefault(part, {})
        if not isinstance(spec, dict):
            return
    spec[last] = value
