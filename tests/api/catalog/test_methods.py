"""Methods and parameters: the API checks them as the worker does."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.catalog.methods import Methods
from shared import catalog
from tests.fakes.admission import methods
from worker.registry import SLOTS

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70_000),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["relu", "same", "x", ""]),
    st.lists(st.integers(-1, 70), max_size=3),
)


@pytest.mark.parametrize(
    ("slot", "name"), [(slot, name) for slot in SLOTS for name in SLOTS[slot].entries()]
)
def test_defaults_are_those_of_the_worker(slot: str, name: str) -> None:
    required = catalog.load()[slot][name]["parameters"].get("required", [])
    if required:
        pytest.skip(f"{name} has no defaults for {required}")
    filled, faults = methods().parameters(slot, name, {}, "")
    assert not faults
    defaults = SLOTS[slot].get(name).defaults
    assert filled == {
        key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()
    }


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_worker_accepts_exactly_the_parameters_that_the_api_accepts(data: Any) -> None:
    slot = data.draw(st.sampled_from(sorted(slot for slot in SLOTS if SLOTS[slot].entries())))
    name = data.draw(st.sampled_from(sorted(SLOTS[slot].entries())))
    entry = SLOTS[slot].get(name)
    names = [*sorted(entry.parameters.model_fields), "unknown"]
    parameters = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
    filled, faults = methods().parameters(slot, name, parameters, "")
    if filled is None:
        assert faults
        with pytest.raises(ValueError, match=name):
            entry.check({**entry.defaults, **parameters})
    else:
        assert not faults
        entry.check(filled)


def test_every_missing_and_unknown_parameter_is_reported() -> None:
    parameters = {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    entry = {"parameters": parameters, "short_form": None}
    losses = Methods({"losses": {"invented": entry}})
    filled, faults = losses.parameters("losses", "invented", {"c": 1, "d": 2}, "/loss")
    assert filled is None
    assert {fault.pointer: fault.detail for fault in faults} == {
        "/loss/a": "is required",
        "/loss/b": "is required",
        "/loss/c": "`c` is not a parameter. Available: a, b",
        "/loss/d": "`d` is not a parameter. Available: a, b",
    }


@pytest.mark.parametrize(
    ("value", "filled"),
    [(True, {"l2": {"weight": 1e-4}}), (0.5, {"l2": {"weight": 0.5}}), (False, {})],
)
def test_short_forms_of_a_method(value: Any, filled: dict[str, Any]) -> None:
    result, faults = methods().named("regularizers", {"l2": value}, "")
    assert not faults
    assert set(result) == set(filled)
    for name, parameters in filled.items():
        assert parameters.items() <= result[name].items()


def test_null_is_not_a_short_form() -> None:
    _, faults = methods().named("regularizers", {"l2": None}, "/regularizers")
    (fault,) = faults
    assert fault.pointer == "/regularizers/l2"
    assert fault.detail == "is null; it must be an object with only, weight, true or false"


def test_unknown_method_is_reported_with_the_nearest_name_and_all_names() -> None:
    _, (fault,) = methods().choice("optimizers", "adaam", "/optimizer")
    assert fault.pointer == "/optimizer/name"
    assert fault.detail.startswith("`adaam` is not an optimizer. Did you mean `adam`? Available: ")
    assert fault.detail.endswith(", ".join(sorted(catalog.load()["optimizers"])))
