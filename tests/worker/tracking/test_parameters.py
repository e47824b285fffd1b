"""A specification as MLflow's parameters."""

from worker.tracking.names import MAX_PARAMETER_LENGTH
from worker.tracking.parameters import flatten, parameters_of


def test_each_value_is_named_by_its_path() -> None:
    spec = {"seed": 3, "optimizer": {"name": "sgd", "schedule": {"name": "cosine", "from": 0.5}}}

    assert dict(flatten(spec)) == {
        "seed": "3",
        "optimizer.name": "sgd",
        "optimizer.schedule.name": "cosine",
        "optimizer.schedule.from": "0.5",
    }


def test_lists_empty_objects_and_null_are_values() -> None:
    spec = {"widths": [8, 16], "tags": {}, "early_stopping": None, "deterministic": True}

    assert dict(flatten(spec)) == {
        "widths": "[8,16]",
        "tags": "{}",
        "early_stopping": "null",
        "deterministic": "true",
    }


def test_parameters_have_names_and_values_that_mlflow_accepts() -> None:
    spec = {"loss": {"name": "", "note": "x" * 10_000, "class_weights": {"a*": 1, "größe": 2}}}

    parameters = parameters_of(spec)

    assert "loss.name" not in parameters
    assert parameters["loss.note"] == "x" * (MAX_PARAMETER_LENGTH - 1) + "…"
    assert parameters["loss.class_weights.a_x2a_"] == "1"
    assert parameters["loss.class_weights.größe"] == "2"


def test_names_and_tags_of_a_job_are_no_parameters() -> None:
    assert parameters_of({"name": "a", "seed": 1, "tags": {"team": "vision"}}) == {"seed": "1"}


def test_parameters_of_fine_tuning_are_those_that_its_stages_use() -> None:
    warm_up = {"name": "warm_up", "train": "head", "epochs": 1, "optimizer": {"name": "adam"}}
    everything = {"name": "full", "train": "all", "epochs": 2, "optimizer": {"name": "rmsprop"}}
    spec = {
        "optimizer": {"name": "sgd", "learning_rate": 0.01},
        "training": {"epochs": 3, "early_stopping": {"patience": 5}},
        "fine_tuning": {"head": {"dropout": 0.3}, "stages": [warm_up, everything]},
    }

    assert parameters_of(spec) == {
        "training.epochs": "3",
        "fine_tuning.head.dropout": "0.3",
        "stages.warm_up.train": "head",
        "stages.warm_up.epochs": "1",
        "stages.warm_up.optimizer.name": "adam",
        "stages.full.train": "all",
        "stages.full.epochs": "2",
        "stages.full.optimizer.name": "rmsprop",
    }


def test_parameters_of_a_job_without_fine_tuning_name_no_stage() -> None:
    spec = {"optimizer": {"name": "sgd"}, "fine_tuning": None}
    assert parameters_of(spec) == {"optimizer.name": "sgd", "fine_tuning": "null"}
