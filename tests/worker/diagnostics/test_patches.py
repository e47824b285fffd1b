"""Every patch that can be offered passes admission and changes the specification."""

from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from api.http.json_patch import apply_patch
from shared.errors import Conflict, InvalidSpec
from tests.fakes.admission import faults, filled
from worker.diagnostics.patches import PATCHES, make_patches
from worker.diagnostics.readings import LayerReading, RangeTest, Reading
from worker.diagnostics.view import StageView, View

RANGE_TEST = RangeTest(curve=((1e-3, 2.0), (0.1, 0.5)), diverging=0.5, suggested=0.0123)
OPTIMIZERS: list[Any] = [
    "sgd",
    {"name": "adam", "learning_rate": 0.1},
    {"name": "rmsprop", "gradient_clipping": {"norm": 1.0}, "schedule": "cosine"},
    {"name": "sgd", "nesterov": True, "schedule": {"name": "one_cycle", "warmup": 10}},
]
ARCHITECTURES: list[Any] = [
    "linear",
    {"name": "mlp", "hidden_units": [1, 64], "activation": "sigmoid", "dropout": 0.9},
    {"name": "mlp", "hidden_units": [65536], "batch_norm": True, "batch_norm_momentum": 0.999},
    {"name": "vgg_small", "activation": "tanh", "dropout": 0, "head_dropout": 0},
    {"name": "vgg_small", "batch_norm": False},
]
REGULARIZERS: list[Any] = [
    {},
    {"l2": 1.0, "l1": 0.1},
    {"label_smoothing": 0.1, "mixup": True},
]
STAGES = {
    "weights": None,
    "stages": [
        {"name": "a", "train": "head", "epochs": 1},
        {"name": "b", "epochs": 2, "optimizer": {"name": "adam", "learning_rate": 0.5}},
    ],
}


@st.composite
def specifications(draw: st.DrawFn) -> dict[str, Any]:
    architecture = draw(st.sampled_from(ARCHITECTURES))
    spec: dict[str, Any] = {
        "dataset": {
            "name": "digits",
            "image_size": 16,
            "normalization": draw(st.sampled_from(["none", "unit", "standardize"])),
        },
        "architecture": architecture,
        "optimizer": draw(st.sampled_from(OPTIMIZERS)),
        "regularizers": draw(st.sampled_from(REGULARIZERS)),
        "augmentation": draw(st.sampled_from([{}, {"rotation": 180, "zoom": 0.9}])),
        "initializer": draw(
            st.sampled_from(
                ["he_normal", {"name": "normal", "scale": 0.05, "overrides": {"head*": "zeros"}}]
            )
        ),
        "training": {
            "batch_size": draw(st.sampled_from([2, 32, 1000])),
            "precision": draw(st.sampled_from(["float32", "float16"])),
            "epochs": draw(st.sampled_from([20, 100_000])),
        },
    }
    if draw(st.booleans()) and architecture != "linear":
        spec["fine_tuning"] = STAGES
        del spec["training"]["epochs"]
    try:
        return filled(spec)
    except InvalidSpec:  # a warm-up longer than its stage
        reject()


def view_of(spec: dict[str, Any], index: int = 0) -> View:
    """Return the view of a stage of a filled specification."""
    fine_tuning = spec.get("fine_tuning")
    optimizer = fine_tuning["stages"][index]["optimizer"] if fine_tuning else spec["optimizer"]
    epochs = fine_tuning["stages"][index]["epochs"] if fine_tuning else spec["training"]["epochs"]
    batch_size = spec["training"]["batch_size"]
    layer = LayerReading(name="a", function=spec["architecture"].get("activation", "relu"))
    reading = Reading(
        step=0,
        epoch=0,
        samples=1,
        loss=1.0,
        running_loss=None,
        output_variance=1.0,
        output_spread=1.0,
        layers=(layer,),
    )
    return View(
        moment="epoch",
        spec=spec,
        stage=StageView(
            name="training",
            index=index,
            epochs=epochs,
            steps_per_epoch=-(-spec["dataset"]["train"] // batch_size),
            batch_size=batch_size,
            learning_rate=optimizer["learning_rate"],
            warmup=optimizer["schedule"]["warmup"],
            is_partial=False,
            has_batch_norm=False,
            is_clipped=bool(optimizer["gradient_clipping"]),
            restores_best=False,
        ),
        step=40,
        epoch=1,
        classes=10,
        chance=2.3,
        equal_scores_loss=2.3,
        target_floor=0.0,
        readings=(reading,),
        updates=(),
        steps=(),
        epochs=(),
        range_test=lambda: RANGE_TEST,
    )


@given(spec=specifications())
@settings(max_examples=40)
def test_every_patch_passes_admission_and_is_refused_when_it_is_stale(spec: dict[str, Any]) -> None:
    stages = len((spec.get("fine_tuning") or {}).get("stages", [0]))
    for index in range(stages):
        for patch in make_patches(tuple(PATCHES), view_of(spec, index)):
            assert patch.operations[0]["op"] == "test", patch.name
            patched = apply_patch(spec, [*patch.operations])
            assert faults(patched) == {}, patch.name
            assert filled(patched) != spec, patch.name
            with pytest.raises(Conflict):
                apply_patch(patched, [*patch.operations])


def test_learning_rate_is_that_of_the_range_test() -> None:
    spec = filled({"dataset": "digits", "architecture": "mlp"})
    (patch,) = make_patches(("learning_rate",), view_of(spec))
    assert patch.operations == (
        {"op": "test", "path": "/optimizer/learning_rate", "value": 0.01},
        {"op": "add", "path": "/optimizer/learning_rate", "value": 0.012},
    )
    assert make_patches(("lower_learning_rate",), view_of(spec)) == ()


def test_more_data_are_offered_where_the_data_set_has_them() -> None:
    few = filled({"dataset": {"name": "digits", "train": 60}, "architecture": "mlp"})
    (patch,) = make_patches(("more_data",), view_of(few))
    assert patch.operations[-1] == {"op": "add", "path": "/dataset/train", "value": 600}
    all_of_them = filled({"dataset": "digits", "architecture": "mlp"})
    assert make_patches(("more_data",), view_of(all_of_them)) == ()


def test_batch_norm_comes_with_weights_of_a_scale_that_fits() -> None:
    initializer = {"name": "normal", "scale": 1.0}
    architecture = {"name": "mlp", "activation": "tanh"}
    spec = filled({"dataset": "digits", "architecture": architecture, "initializer": initializer})
    (patch,) = make_patches(("batch_norm",), view_of(spec))
    added = {entry["path"]: entry["value"] for entry in patch.operations if entry["op"] == "add"}
    assert added["/architecture/batch_norm"] is True
    assert added["/initializer"]["name"] == "xavier_uniform"


def test_a_patch_that_changes_nothing_is_not_offered() -> None:
    spec = filled({"dataset": "digits", "architecture": "mlp"})
    names = ("standardize", "he_normal", "bfloat16", "less_dropout", "weaker_penalty", "relu")
    assert make_patches(names, view_of(spec)) == ()
