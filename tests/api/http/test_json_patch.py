"""JSON Patch: the examples of RFC 6902, appendix A, and faults that point into the patch."""

from typing import Any

import pytest

from api.http.json_patch import apply_patch
from shared.errors import Conflict, InvalidSpec


@pytest.mark.parametrize(
    ("document", "operation", "patched"),
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": 1}, {"foo": "bar", "baz": 1}),
        ({"foo": [1, 2]}, {"op": "add", "path": "/foo/1", "value": 9}, {"foo": [1, 9, 2]}),
        ({"foo": [1]}, {"op": "add", "path": "/foo/-", "value": [2]}, {"foo": [1, [2]]}),
        ({"foo": 1, "baz": 2}, {"op": "remove", "path": "/baz"}, {"foo": 1}),
        ({"foo": [1, 2, 3]}, {"op": "remove", "path": "/foo/1"}, {"foo": [1, 3]}),
        ({"foo": 1}, {"op": "replace", "path": "/foo", "value": None}, {"foo": None}),
        (
            {"a": {"b": 1}, "c": {}},
            {"op": "move", "from": "/a/b", "path": "/c/d"},
            {"a": {}, "c": {"d": 1}},
        ),
        ({"a": [1, 2, 3]}, {"op": "move", "from": "/a/0", "path": "/a/2"}, {"a": [2, 3, 1]}),
        (
            {"a": {"b": 1}},
            {"op": "copy", "from": "/a", "path": "/c"},
            {"a": {"b": 1}, "c": {"b": 1}},
        ),
        ({"a~/": 1}, {"op": "replace", "path": "/a~0~1", "value": 2}, {"a~/": 2}),
        ({"a": 1}, {"op": "add", "path": "", "value": [1]}, [1]),
        ({"": 1}, {"op": "replace", "path": "/", "value": 2}, {"": 2}),
        ({"a": 1}, {"op": "test", "path": "/a", "value": 1.0}, {"a": 1}),
    ],
)
def test_operations(document: Any, operation: dict[str, Any], patched: Any) -> None:
    before = repr(document)
    assert apply_patch(document, [operation]) == patched
    assert repr(document) == before


@pytest.mark.parametrize("value", [True, "1", [1], None, 2])
def test_a_test_of_another_value_is_a_conflict(value: Any) -> None:
    with pytest.raises(Conflict, match="the patch was made for"):
        apply_patch({"a": 1}, [{"op": "test", "path": "/a", "value": value}])


@pytest.mark.parametrize(
    ("operations", "pointer"),
    [
        ({}, ""),
        ([3], "/0"),
        ([{"op": "delete", "path": "/a"}], "/0/op"),
        ([{"op": ["add"], "path": "/a"}], "/0/op"),
        ([{"op": "add", "path": "/a"}], "/0/value"),
        ([{"op": "add", "value": 1}], "/0/path"),
        ([{"op": "remove", "path": "a"}], "/0/path"),
        ([{"op": "remove", "path": 3}], "/0/path"),
        ([{"op": "move", "path": "/a"}], "/0/from"),
        ([{"op": "remove", "path": "/missing"}], "/0/path"),
        ([{"op": "remove", "path": ""}], "/0/path"),
        ([{"op": "replace", "path": "/missing", "value": 1}], "/0/path"),
        ([{"op": "add", "path": "/a/b", "value": 1}], "/0/path"),
        ([{"op": "add", "path": "/list/9", "value": 1}], "/0/path"),
        ([{"op": "add", "path": "/list/01", "value": 1}], "/0/path"),
        ([{"op": "remove", "path": "/list/-"}], "/0/path"),
        ([{"op": "test", "path": "/missing", "value": 1}], "/0/path"),
        ([{"op": "move", "from": "/object", "path": "/object/x"}], "/0/path"),
        (
            [{"op": "add", "path": "/a", "value": 2}, {"op": "copy", "from": "/x", "path": "/y"}],
            "/1/from",
        ),
        ([{"op": "test", "path": "/a", "value": 1}] * 101, ""),
    ],
)
def test_faults_point_into_the_patch(operations: Any, pointer: str) -> None:
    document = {"a": 1, "list": [1], "object": {}}
    with pytest.raises(InvalidSpec) as refused:
        apply_patch(document, operations, at="/patch")
    assert [fault.pointer for fault in refused.value.faults] == [f"/patch{pointer}"]
    assert document == {"a": 1, "list": [1], "object": {}}
