"""A specification as MLflow's parameters."""

from worker.tracking.parameters import MAX_VALUE_LENGTH, flatten, parameters_of


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


def test_parameters_have_keys_and_values_that_mlflow_accepts() -> None:
    spec = {"name": "", "note": "x" * 10_000, "overrides": {"conv_*": 1, "größe": 2}}

    parameters = parameters_of(spec)

    assert "name" not in parameters
    assert parameters["note"] == "x" * MAX_VALUE_LENGTH
    assert parameters["overrides.conv__"] == "1"
    assert parameters["overrides.gr__e"] == "2"
