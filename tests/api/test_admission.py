"""Admission agrees with the worker, so that nothing admitted is refused there."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.catalog.methods import Methods
from api.catalog.metrics import epoch_metric_names
from api.http.strict_json import parse
from shared import catalog
from shared.errors import InvalidSpec
from shared.spec import JobSpec
from tests.fakes.admission import check, filled, methods
from worker.registry import SLOTS
from worker.training.metrics import Conditions
from worker.training.metrics import epoch_metric_names as names_in_worker

METHODS = methods()


def _faults(**fields: Any) -> list[str]:
    """Where a small specification with these fields is at fault."""
    try:
        check({"dataset": "digits", "architecture": "mlp", **fields})
    except InvalidSpec as error:
        return [fault.pointer for fault in error.faults]
    return []


@pytest.mark.parametrize("is_mixed", [False, True])
@pytest.mark.parametrize("is_clipped", [False, True])
@pytest.mark.parametrize("top_k", [(), (1,), (1, 5), (3, 2)])
def test_both_sides_know_the_same_metrics(
    top_k: tuple[int, ...], is_clipped: bool, is_mixed: bool
) -> None:
    in_api = epoch_metric_names(
        METHODS.catalog, "classification", top_k=top_k, is_clipped=is_clipped, is_mixed=is_mixed
    )
    job = Conditions("classification", mixed_targets=is_mixed, gradient_clipping=is_clipped)
    assert set(in_api) == set(names_in_worker(job, top_k))


@pytest.mark.parametrize("is_clipped", [False, True])
def test_both_sides_know_the_same_metrics_of_a_number(is_clipped: bool) -> None:
    in_api = epoch_metric_names(
        METHODS.catalog, "regression", is_clipped=is_clipped, is_mixed=False
    )
    job = Conditions("regression", mixed_targets=False, gradient_clipping=is_clipped)
    assert set(in_api) == set(names_in_worker(job))


def test_with_mixup_there_is_no_training_accuracy_to_watch() -> None:
    def faults(monitor: str) -> list[str]:
        checkpoints = [{"monitor": monitor, "mode": "max"}]
        return _faults(regularizers={"mixup": {}}, checkpoints=checkpoints)

    assert faults("train_accuracy") == ["/checkpoints/0/monitor"]
    assert faults("train_mixed_accuracy") == faults("val_accuracy") == []


@pytest.mark.parametrize(
    ("slot", "name"), [(slot, name) for slot in SLOTS for name in SLOTS[slot].entries()]
)
def test_defaults_are_the_worker_s(slot: str, name: str) -> None:
    required = catalog.load()[slot][name]["parameters"].get("required", [])
    if required:
        pytest.skip(f"{name} has no defaults for {required}")
    filled, faults = METHODS.parameters(slot, name, {}, "")
    assert not faults
    wanted = SLOTS[slot].get(name).defaults
    assert filled == {key: list(v) if isinstance(v, tuple) else v for key, v in wanted.items()}


_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70_000),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["relu", "same", "x", ""]),
    st.lists(st.integers(-1, 70), max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_is_admitted_of_a_method_the_worker_takes_and_nothing_else(data: Any) -> None:
    """The catalogue's schema and the signature it was made from say the same of any value."""
    slot = data.draw(st.sampled_from(sorted(slot for slot in SLOTS if SLOTS[slot].entries())))
    name = data.draw(st.sampled_from(sorted(SLOTS[slot].entries())))
    entry = SLOTS[slot].get(name)
    known = sorted(entry.parameters.model_fields)
    given_ = data.draw(st.dictionaries(st.sampled_from([*known, "unknown"]), _values, max_size=3))
    filled, faults = METHODS.parameters(slot, name, given_, "")
    if filled is None:
        assert faults
        with pytest.raises(ValueError, match=name):
            entry.check({**entry.defaults, **given_})
    else:
        assert not faults
        entry.check(filled)


def test_what_is_admitted_is_a_specification_for_the_worker() -> None:
    raw = {
        "dataset": "digits",
        "architecture": {"name": "vgg_small", "widths": [4]},
        "regularizers": {"l2": 0.01, "dropout": True, "label_smoothing": {}},
        "initializer": {"name": "he_normal", "overrides": {"head.*": "zeros"}},
        "optimizer": {"name": "adam", "gradient_clipping": {"norm": 1}},
        "checkpoints": [{"epoch": 0}, {"every_epochs": 2}],
        "metrics": {"top_k": [3, 1, 3]},
    }
    draft = check(raw)
    spec = JobSpec.model_validate(draft.filled)
    assert filled(draft.filled) == draft.filled
    assert spec.optimizer.gradient_clipping is not None
    assert spec.initializer.overrides["head.*"].name == "zeros"
    assert draft.network is not None
    assert draft.network["patterns"] == {"/initializer/overrides/head.*": "head.*"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("augmentation", {"horizontal_flip": False, "rotation": False}),
        ("regularizers", {"l2": False}),
        ("tracking", None),
        ("tracking", {"tensorboard": False}),
        ("tracking", {"tensorboard": None}),
    ],
)
def test_false_and_null_are_as_good_as_nothing(field: str, value: Any) -> None:
    raw = {"dataset": "digits", "architecture": "mlp"}
    assert filled({**raw, field: value}) == filled(raw)


def test_each_k_is_computed_once() -> None:
    raw = {"dataset": "digits", "architecture": "mlp", "metrics": {"top_k": [5, 5, 1]}}
    assert filled(raw)["metrics"]["top_k"] == [5, 1]


def test_a_number_is_a_number_however_it_was_written() -> None:
    def spec(one: float) -> str:
        """As it is kept, with a 1 and a 2 that are written like this one."""
        clipping = {"norm": one, "value": None}
        raw = {
            "dataset": "digits",
            "architecture": {"name": "mlp", "hidden_units": [one]},
            "regularizers": {"l2": {"weight": one}},
            "augmentation": {"brightness": [one, 2 * one]},
            "initializer": {"name": "he_glorot", "alpha": one},
            "optimizer": {"name": "sgd", "learning_rate": one, "gradient_clipping": clipping},
        }
        return json.dumps(filled(raw))

    assert spec(1) == spec(1.0)


def test_every_parameter_that_is_missing_or_unknown_is_told() -> None:
    parameters = {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    made_up = Methods({"losses": {"made_up": {"parameters": parameters, "short_form": None}}})
    filled, faults = made_up.parameters("losses", "made_up", {"c": 1, "d": 2}, "/loss")
    assert filled is None
    assert sorted(fault.pointer for fault in faults) == ["/loss/a", "/loss/b", "/loss/c", "/loss/d"]


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where anything stands in a specification."""
    yield place
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(inner, (*place, name))


def test_whatever_stands_anywhere_is_refused_or_can_be_kept() -> None:
    """By what writes JSON into the database: it takes no integer beyond 64 bits."""
    whole = {
        "dataset": "digits",
        "architecture": {"name": "vgg_small", "widths": [4]},
        "regularizers": {"l2": 0.01, "dropout": True, "label_smoothing": {"alpha": 0.1}},
        "augmentation": {"rotation": 10, "brightness": [0.8, 1.2]},
        "initializer": {"name": "he_glorot", "overrides": {"head.*": "zeros"}},
        "optimizer": {
            "name": "adam",
            "schedule": "reduce_on_plateau",
            "gradient_clipping": {"norm": 1},
        },
        "training": {"early_stopping": {}},
        "fine_tuning": {"stages": [{"name": "a", "epochs": 1, "optimizer": "sgd"}]},
        "tracking": {"tensorboard": True},
        "metrics": {"top_k": [1, 5]},
    }
    whole = filled(whole)
    written = ("1" + "0" * 30, "-" + str(2**63), str(2**63), "1e308", "1.0", "true", "null")
    kept = refused = 0
    for place in _places(whole):
        for text in (*written, '"x"', "[]", "{}", "[[1]]"):
            changed = copy.deepcopy(whole)
            at: Any = changed
            for part in place[:-1]:
                at = at[part]
            if place:
                at[place[-1]] = json.loads(text)
            raw = parse(json.dumps(changed).encode() if place else text.encode())
            try:
                orjson.dumps([raw, filled(raw)])
                kept += 1
            except InvalidSpec:
                refused += 1
    assert kept > 100
    assert refused > 400


def test_faults_come_in_the_order_of_their_pointers() -> None:
    with pytest.raises(InvalidSpec) as caught:
        check({"seed": -1, "dataset": "x", "architecture": "y", "name": 3})
    pointers = [fault.pointer for fault in caught.value.faults]
    assert pointers == ["/architecture/name", "/dataset/name", "/name", "/seed"]


def test_nesterov_without_momentum_is_refused() -> None:
    optimizer = {"name": "sgd", "momentum": 0, "nesterov": True}
    assert _faults(optimizer=optimizer) == ["/optimizer/nesterov"]
    assert _faults(optimizer={**optimizer, "momentum": 0.5}) == []
    assert _faults(optimizer={**optimizer, "nesterov": False}) == []


def test_what_a_schedule_watches_is_a_metric_of_the_job() -> None:
    schedule = {"name": "reduce_on_plateau", "monitor": "val_los"}
    assert _faults(optimizer={"name": "sgd", "schedule": schedule}) == [
        "/optimizer/schedule/monitor"
    ]
    schedule["monitor"] = "val_top_5_accuracy"
    assert _faults(optimizer={"name": "sgd", "schedule": schedule}) == []


@pytest.mark.parametrize("kind", ["value", "norm", "global_norm"])
def test_a_bound_of_gradients_is_a_float32(kind: str) -> None:
    def faults(bound: float) -> list[str]:
        return _faults(optimizer={"name": "sgd", "gradient_clipping": {kind: bound}})

    assert faults(1e30) == []
    assert faults(1e39) == [f"/optimizer/gradient_clipping/{kind}"]


class TestWarmUps:
    """Ten images in batches of four: three updates an epoch."""

    def _faults(self, **fields: Any) -> list[str]:
        dataset = {"name": "digits", "train": 10, "validation": 4, "test": 4}
        return _faults(dataset=dataset, **fields)

    def _warm(self, warmup: int) -> dict[str, Any]:
        return {"name": "sgd", "schedule": {"name": "cosine", "warmup": warmup}}

    def test_one_ends_within_the_job(self) -> None:
        training = {"epochs": 2, "batch_size": 4}
        assert self._faults(optimizer=self._warm(6), training=training) == []
        found = self._faults(optimizer=self._warm(7), training=training)
        assert found == ["/optimizer/schedule/warmup"]

    def test_one_ends_within_each_stage_that_it_is_for(self) -> None:
        def faults(own: Any, common: int) -> list[str]:
            stages = [{"name": "a", "epochs": 2, "optimizer": own}, {"name": "b", "epochs": 1}]
            return self._faults(
                optimizer=self._warm(common),
                training={"batch_size": 4},
                fine_tuning={"stages": stages},
            )

        assert faults(self._warm(6), 3) == []
        assert faults(None, 4) == ["/optimizer/schedule/warmup"]
        assert faults(self._warm(7), 3) == ["/fine_tuning/stages/0/optimizer/schedule/warmup"]
