"""A specification as MLflow's parameters."""

from worker.tracking.mirror import LONGEST_PARAMETER, flat, parameters_of


def test_every_leaf_has_a_name_of_its_path_and_texts_stand_as_they_are() -> None:
    spec = {"seed": 3, "optimizer": {"name": "sgd", "schedule": {"name": "cosine", "from": 0.5}}}

    assert dict(flat(spec)) == {
        "seed": "3",
        "optimizer.name": "sgd",
        "optimizer.schedule.name": "cosine",
        "optimizer.schedule.from": "0.5",
    }


def test_lists_what_is_empty_and_null_stay_whole() -> None:
    spec = {"widths": [8, 16], "tags": {}, "early_stopping": None, "deterministic": True}

    assert dict(flat(spec)) == {
        "widths": "[8,16]",
        "tags": "{}",
        "early_stopping": "null",
        "deterministic": "true",
    }


def test_mlflow_gets_only_what_it_takes() -> None:
    spec = {"name": "", "note": "x" * 10_000, "overrides": {"conv_*": 1, "größe": 2}}

    parameters = parameters_of(spec)

    assert "name" not in parameters
    assert parameters["note"] == "x" * LONGEST_PARAMETER
    assert parameters["overrides.conv__"] == "1"
    assert parameters["overrides.gr__e"] == "2"
