"""What specifications differ in: a pointer for each field, with the value of each job."""

from typing import Any

import pytest

from api.comparison.differences import differences


def _found(**specs: Any) -> dict[str, Any]:
    return {found["pointer"]: found["values"] for found in differences(specs)}


def test_equal_specifications_have_no_difference_and_names_are_none() -> None:
    spec = {"seed": 0, "optimizer": {"name": "sgd"}, "top_k": [1, 5]}
    assert _found(a={**spec, "name": "x"}, b={**spec, "name": "y"}) == {}


def test_a_field_that_differs_has_the_value_of_each_job() -> None:
    found = _found(
        a={"o": {"lr": 0.1, "m": 0}}, b={"o": {"lr": 0.2, "m": 0}}, c={"o": {"lr": 0.1, "m": 0}}
    )
    assert found == {"/o/lr": {"a": 0.1, "b": 0.2, "c": 0.1}}


def test_a_field_that_a_job_lacks_is_shown_as_a_whole_and_null_is_a_value() -> None:
    found = _found(a={"r": {"l2": {"weight": 1}}, "s": None}, b={"r": {}, "s": {"p": 3}})
    assert found == {"/r/l2": {"a": {"weight": 1}}, "/s": {"a": None, "b": {"p": 3}}}


@pytest.mark.parametrize(("first", "second"), [(True, 1), (0, False), (None, 0), ("1", 1)])
def test_values_of_different_types_differ(first: Any, second: Any) -> None:
    assert _found(a={"x": first}, b={"x": second}) == {"/x": {"a": first, "b": second}}


def test_lists_are_compared_entry_by_entry_where_they_are_equally_long() -> None:
    stages = [{"epochs": 1}, {"epochs": 2}]
    assert _found(a={"s": stages}, b={"s": [{"epochs": 1}, {"epochs": 3}]}) == {
        "/s/1/epochs": {"a": 2, "b": 3}
    }
    assert _found(a={"s": [1]}, b={"s": [1, 2]}) == {"/s": {"a": [1], "b": [1, 2]}}


def test_pointers_are_escaped_and_sorted() -> None:
    found = differences({"a": {"b/c": 1, "a~b": 1}, "b": {"b/c": 2, "a~b": 2}})
    assert [each["pointer"] for each in found] == ["/a~0b", "/b~1c"]


def test_one_specification_differs_from_none() -> None:
    assert differences({"a": {"x": 1}}) == []
    assert differences({}) == []
