"""The documented defaults: in the catalogue, in a specification, in built objects."""

from typing import Any

import pytest
import torch
from torch import nn

from shared import catalog
from shared.spec import EarlyStoppingSpec, HeadSpec, JobSpec
from tests.worker.experiments import experiment
from worker.registry import SLOTS, optimizers

ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("architectures", "vgg_small"): {
        "activation": "elu",
        "widths": [32, 64],
        "kernel_size": 3,
        "padding": "same",
        "hidden_units": [512],
        "dropout": 0.25,
        "head_dropout": 0.5,
        "batch_norm": True,
        "batch_norm_momentum": 0.9,
    },
    ("architectures", "mlp"): {
        "hidden_units": [128],
        "activation": "relu",
        "dropout": 0.0,
        "batch_norm": False,
        "batch_norm_momentum": 0.9,
    },
    ("augmentations", "fill_mode"): {"mode": "nearest"},
    ("initializers", "he_glorot"): {"alpha": None},
    ("initializers", "orthogonal"): {"scale": 1.0},
    ("losses", "epsilon_insensitive"): {"epsilon": 0.1},
    ("optimizers", "sgd"): {"momentum": 0.9, "nesterov": False},
    ("optimizers", "adam"): ADAM,
    ("optimizers", "adamw"): {**ADAM, "weight_decay": 0.01},
    ("optimizers", "rmsprop"): {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-8},
    ("optimizers", "adagrad"): {"epsilon": 1e-10},
    ("regularizers", "batch_norm"): {"momentum": 0.9},
    ("regularizers", "l1"): {"weight": 1e-5, "only": None},
    ("regularizers", "l2"): {"weight": 1e-4, "only": None},
    ("regularizers", "mixup"): {"alpha": 0.2, "per": "pair"},
    ("regularizers", "vat"): {"weight": 1.0, "epsilon": 2.0, "power_iterations": 1, "xi": 1e-6},
    ("schedules", "constant"): {"warmup": 0},
    ("schedules", "cosine"): {"final": 0.0, "warmup": 0},
}


@pytest.mark.parametrize(("slot", "name"), DEFAULTS)
def test_defaults_of_a_method_are_the_same_in_code_and_catalogue(slot: str, name: str) -> None:
    expected = DEFAULTS[slot, name]
    properties = catalog.load()[slot][name]["parameters"]["properties"]
    assert {key: field["default"] for key, field in properties.items()} == expected
    filled = SLOTS[slot].get(name).defaults
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in filled.items()}
    assert plain == expected


def test_defaults_of_a_specification() -> None:
    spec = JobSpec.model_validate({"dataset": "any", "architecture": "mlp"})
    assert spec.seed == 0
    assert (spec.optimizer.name, spec.optimizer.learning_rate) == ("sgd", 0.01)
    assert spec.optimizer.schedule.name == "constant"
    assert spec.optimizer.gradient_clipping is None
    assert (spec.regularizers, spec.augmentation) == ({}, {})
    assert (spec.initializer.name, spec.loss.name) == ("he_normal", "cross_entropy")
    assert (spec.training.epochs, spec.training.batch_size) == (20, 32)
    assert (spec.training.precision, spec.training.deterministic) == ("float32", True)
    assert spec.training.early_stopping is None
    best = [(rule.monitor, rule.mode) for rule in spec.checkpoints]
    assert best == [("val_loss", "min"), ("val_accuracy", "max")]


def test_defaults_of_early_stopping_and_of_a_new_head() -> None:
    assert EarlyStoppingSpec() == EarlyStoppingSpec(
        monitor="val_loss", mode=None, patience=3, min_delta=0.0, restore_best=False
    )
    assert HeadSpec().dropout == 0.3
    stages = [{"name": "one", "epochs": 1}]
    head: Any = experiment(fine_tuning={"head": {"hidden_units": [4]}, "stages": stages}).model
    assert [m.p for m in head.modules() if isinstance(m, nn.Dropout) and m.p > 0] == [0.3]


def test_top_k_is_1_and_5() -> None:
    assert experiment().ks == (1, 5)


def test_vgg_small_has_its_dropout_rates_and_the_batch_norm_of_keras() -> None:
    modules = list(experiment(architecture="vgg_small").model.modules())
    assert [m.p for m in modules if isinstance(m, nn.Dropout)] == [0.25, 0.25, 0.5]
    norms = [m for m in modules if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-3, pytest.approx(0.1))] * 5
    assert sum(isinstance(m, nn.ELU) for m in modules) == 5


def test_batch_norm_regularizer_has_momentum_0_9() -> None:
    model = experiment(regularizers={"batch_norm": {}}).model
    (norm,) = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    assert (norm.eps, norm.momentum) == (1e-3, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adam", {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}),
        ("adamw", {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}),
        ("rmsprop", {"alpha": 0.9, "eps": 1e-8, "momentum": 0.0, "centered": False}),
        ("adagrad", {"initial_accumulator_value": 0.0, "eps": 1e-10, "lr_decay": 0}),
        ("sgd", {"momentum": 0.9, "dampening": 0, "nesterov": False, "weight_decay": 0}),
    ],
)
def test_optimizer_is_built_with_its_defaults(name: str, expected: dict[str, Any]) -> None:
    optimizer = optimizers.get(name).function([nn.Parameter(torch.ones(2, 2))], 0.1)
    group = optimizer.param_groups[0]
    assert {key: group[key] for key in expected} == expected


def test_sum_of_adagrad_starts_at_0() -> None:
    weight = nn.Parameter(torch.ones(3, 2))
    optimizer = optimizers.get("adagrad").function([weight], 0.1)
    assert not optimizer.state[weight]["sum"].any()
