"""The commonest mistakes of users of Keras, PyTorch and scikit-learn, and the fix in the answer."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.catalog.foreign_names import FOREIGN
from api.catalog.places import folded, places
from tests.fakes.admission import SPEC, faults

#: The most characters of one answer's fault: all names of the largest slot, and the hint.
MAX_DETAIL = 1200


def _sgd(**fields: Any) -> dict[str, Any]:
    return {"optimizer": {"name": "sgd", **fields}}


def _data(**fields: Any) -> dict[str, Any]:
    return {"dataset": {"name": "digits", **fields}}


def _stop(**fields: Any) -> dict[str, Any]:
    return {"training": {"early_stopping": fields}}


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    # Names of fields
    (_sgd(lr=0.01), "/optimizer/lr", "Did you mean `learning_rate`?"),
    (_sgd(weight_decay=1e-4), "/optimizer/weight_decay", "λ = d/2"),
    (_sgd(decay=1e-6), "/optimizer/decay", "`inverse_time` is a schedule"),
    (
        _sgd(clipnorm=1),
        "/optimizer/clipnorm",
        'Did you mean `gradient_clipping`? Note: use {"norm"',
    ),
    (_sgd(lr_scheduler="cosine"), "/optimizer/lr_scheduler", "Did you mean `schedule`?"),
    ({"optimizer": {"name": "adam", "betas": [0.9, 0.99]}}, "/optimizer/betas", "`beta1`"),
    ({"optimizer": {"name": "adam", "eps": 1e-8}}, "/optimizer/eps", "`epsilon`"),
    ({"training": {"nb_epoch": 3}}, "/training/nb_epoch", "Did you mean `epochs`?"),
    ({"training": {"batchsize": 3}}, "/training/batchsize", "Did you mean `batch_size`?"),
    ({"training": {"fp16": True}}, "/training/fp16", "Did you mean `precision`?"),
    ({"training": {"shuffle": True}}, "/training/shuffle", "Leave it out: training samples"),
    (_stop(restore_best_weights=True), "/training/early_stopping/restore_best_weights", "_best`?"),
    (_data(validation_split=0.2), "/dataset/validation_split", "Did you mean `validation`?"),
    (_data(test_size=0.2), "/dataset/test_size", "Did you mean `test`?"),
    (_data(num_classes=10), "/dataset/num_classes", "follows from the dataset"),
    (_data(input_shape=[8, 8, 1]), "/dataset/input_shape", "Did you mean `image_size`?"),
    ({"model": "mlp"}, "/model", "Did you mean `architecture`?"),
    ({"data": "digits"}, "/data", "Did you mean `dataset`?"),
    ({"criterion": "l2"}, "/criterion", "Did you mean `loss`?"),
    ({"device": "cuda:0"}, "/device", "Did you mean `resources`?"),
    ({"num_workers": 4}, "/num_workers", "Leave it out: the box loads the data."),
    ({"callbacks": []}, "/callbacks", "Move it to `/training/early_stopping`"),
    ({"pretrained": True}, "/pretrained", "Did you mean `fine_tuning`?"),
    (
        _sgd(gradient_clipping={"max_norm": 1}),
        "/optimizer/gradient_clipping/max_norm",
        "Did you mean `global_norm`?",
    ),
    ({"regularizers": {"dropout": {"p": 0.5}}}, "/regularizers/dropout/p", "Did you mean `rate`?"),
    # Fields and methods that exist elsewhere
    ({"epochs": 3}, "/epochs", "Move it to `/training/epochs`."),
    ({"early_stopping": {}}, "/early_stopping", "Move it to `/training/early_stopping`."),
    ({"patience": 3}, "/patience", "Move it to `/training/early_stopping/patience`."),
    ({"lr": 0.1}, "/lr", "Move it to `/optimizer/learning_rate`."),
    ({"scheduler": "cosine"}, "/scheduler", "Move it to `/optimizer/schedule`."),
    ({"training": {"seed": 3}}, "/training/seed", "Move it to `/seed`."),
    (
        {"augmentation": {"mixup": True}},
        "/augmentation/mixup",
        "`mixup` is a regularizer: move it to `/regularizers/mixup`.",
    ),
    ({"regularizers": {"rotation": 9}}, "/regularizers/rotation", "`/augmentation/rotation`"),
    # Names of methods, data sets and metrics
    ({"initializer": "glorot_uniform"}, "/initializer/name", "Did you mean `xavier_uniform`?"),
    ({"initializer": "kaiming_normal_"}, "/initializer/name", "Did you mean `he_normal`?"),
    ({"architecture": "VGG16"}, "/architecture/name", "Did you mean `vgg16`?"),
    ({"architecture": "ResNet-50"}, "/architecture/name", "Did you mean `resnet50`?"),
    ({"optimizer": "Adam"}, "/optimizer/name", "Did you mean `adam`?"),
    ({"loss": "mse"}, "/loss/name", "Did you mean `l2`?"),
    ({"loss": "categorical_crossentropy"}, "/loss/name", "Did you mean `cross_entropy`?"),
    ({"loss": "CrossEntropyLoss"}, "/loss/name", "Did you mean `cross_entropy`?"),
    (_sgd(schedule="StepLR"), "/optimizer/schedule/name", "Did you mean `step`?"),
    (_sgd(schedule="CosineAnnealingLR"), "/optimizer/schedule/name", "Did you mean `cosine`?"),
    (
        {"augmentation": {"flip": True}},
        "/augmentation/flip",
        "`horizontal_flip` or `vertical_flip`",
    ),
    ({"augmentation": {"rotation_range": 9}}, "/augmentation/rotation_range", "`rotation`? Note:"),
    ({"regularizers": {"weight_decay": 1}}, "/regularizers/weight_decay", "Did you mean `l2`?"),
    ({"dataset": "MNIST"}, "/dataset/name", "Did you mean `digits` or `fashion-mnist`?"),
    (_stop(monitor="val_acc"), "/training/early_stopping/monitor", "Did you mean `val_accuracy`?"),
    (_stop(monitor="accuracy"), "/training/early_stopping/monitor", "`val_accuracy`"),
    (_stop(monitor="Val_Loss"), "/training/early_stopping/monitor", 'Did you mean "val_loss"?'),
    # Values
    ({"training": {"early_stopping": 3}}, "/training/early_stopping", 'mean {"patience": 3}?'),
    ({"training": {"epochs": "32"}}, "/training/epochs", "Did you mean 32?"),
    ({"training": {"deterministic": "True"}}, "/training/deterministic", "Did you mean true?"),
    ({"training": {"precision": "fp16"}}, "/training/precision", 'Did you mean "float16"?'),
    ({"regularizers": {"dropout": "25%"}}, "/regularizers/dropout/rate", "Did you mean 0.25?"),
    ({"regularizers": ["mixup"]}, "/regularizers", 'Did you mean {"mixup": true}?'),
    (_sgd(learning_rate="1e-3"), "/optimizer/learning_rate", "Did you mean 0.001?"),
    (_sgd(gradient_clipping=1), "/optimizer/gradient_clipping", 'mean {"global_norm": 1}?'),
    (_data(train=0.8), "/dataset/train", "Did you mean 1438, which is 0.8 of 1,797?"),
    ({"checkpoints": "best"}, "/checkpoints", 'Did you mean [{"monitor": "val_loss"}]?'),
    (_data(image_size=[32, 32]), "/dataset/image_size", "Did you mean 32?"),
    (_sgd(momentum="0,9"), "/optimizer/momentum", "Did you mean 0.9?"),
    (
        {"architecture": {"name": "mlp", "hidden_units": "128"}},
        "/architecture/hidden_units",
        "Did you mean [128]?",
    ),
    (
        {"architecture": {"name": "mlp", "hidden_units": 64}},
        "/architecture/hidden_units",
        "Did you mean [64]?",
    ),
    (
        {"architecture": {"name": "linear", "hidden_units": [64]}},
        "/architecture/hidden_units",
        "is a parameter of mlp",
    ),
    (
        {"architecture": {"name": "mlp", "activation": "swish"}},
        "/architecture/activation",
        'Did you mean "silu"?',
    ),
    ({"metrics": ["accuracy"]}, "/metrics", "always measured, so leave it out"),
    ({"dataset": {"name": "table", "file": "my data.csv"}}, "/dataset/file", "only A-Z, a-z, 0-9"),
]


@pytest.mark.parametrize(("changes", "pointer", "fix"), MISTAKES)
def test_answer_to_a_common_mistake_names_the_fix(
    changes: dict[str, Any], pointer: str, fix: str
) -> None:
    detail = faults({**SPEC, **changes})[pointer]
    assert fix in detail
    assert len(detail) < MAX_DETAIL


def test_method_comes_before_a_field_of_fine_tuning_with_its_name() -> None:
    detail = faults({**SPEC, "dropout": 0.25})["/dropout"]
    assert "`dropout` is a regularizer: move it to `/regularizers/dropout`." in detail


def test_list_of_what_exists_holds_every_field_of_the_object() -> None:
    names = "gradient_clipping, learning_rate, momentum, name, nesterov, schedule"
    assert faults({**SPEC, **_sgd(lr=0.01)})["/optimizer/lr"].endswith(f"Available: {names}")


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_foreign_name_leads_to_names_of_a_specification(name: str) -> None:
    foreign = FOREIGN[name]
    assert name == folded(name)
    assert foreign.names or foreign.note
    for other in foreign.names[:1]:
        found = [place.pointer for place in places()[folded(other)]]
        assert any(pointer.startswith(foreign.under) for pointer in found)
    for other in foreign.names:
        assert folded(other) in places()


NAMES = st.sampled_from(sorted(FOREIGN) + [entry[0].name for entry in places().values()])
VALUES = st.sampled_from([3, 0.8, "25%", "true", True, None, [], ["a"], {}, {"name": "x"}, "é%"])
OBJECTS = [
    (),
    ("dataset",),
    ("architecture",),
    ("initializer",),
    ("regularizers",),
    ("augmentation",),
    ("loss",),
    ("optimizer",),
    ("optimizer", "schedule"),
    ("training",),
    ("training", "early_stopping"),
    ("metrics",),
    ("resources",),
    ("tracking",),
    ("fine_tuning",),
    ("fine_tuning", "weights"),
]
REQUIRED = {
    "dataset": "digits",
    "architecture": "mlp",
    "initializer": "zeros",
    "loss": "l2",
    "optimizer": "sgd",
    "schedule": "step",
}


@settings(max_examples=200, deadline=None)
@given(NAMES, VALUES, st.sampled_from(OBJECTS))
def test_any_name_anywhere_gets_a_bounded_answer(
    name: str, value: Any, path: tuple[str, ...]
) -> None:
    spec: dict[str, Any] = {**SPEC}
    parent = spec
    for part in path:
        parent[part] = {"name": REQUIRED[part]} if part in REQUIRED else {}
        parent = parent[part]
    parent[name] = value
    for detail in faults(spec).values():
        assert 0 < len(detail) < MAX_DETAIL
