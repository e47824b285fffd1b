"""The rules that a specification names: their parameters, their names, their task."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults, filled


def _filled(diagnostics: Any) -> Any:
    return filled({**SPEC, "diagnostics": diagnostics})["diagnostics"]


def test_default_is_standard() -> None:
    assert filled(SPEC)["diagnostics"] == {
        "mode": "standard",
        "on_error": "note",
        "verify": False,
        "rules": {},
    }


@pytest.mark.parametrize("mode", ["standard", "off", "full"])
def test_bare_mode_is_short_for_the_object(mode: str) -> None:
    assert _filled(mode) == _filled({"mode": mode})


def test_named_rules_are_filled_in_and_false_stays() -> None:
    rules = {"dead_relu": {"share": 0.6}, "vanishing_gradient": False}
    assert _filled({"rules": rules})["rules"] == {
        "dead_relu": {"share": 0.6, "some": 0.4},
        "vanishing_gradient": False,
    }


def test_filled_specification_is_accepted_again_unchanged() -> None:
    rules = {"dead_relu": 0.6, "vanishing_gradient": False}
    once = filled({**SPEC, "diagnostics": {"rules": rules, "on_error": "stop", "verify": False}})
    assert filled(once) == once


@pytest.mark.parametrize(
    ("diagnostics", "pointer", "detail"),
    [
        ("loud", "/diagnostics/mode", 'it must be "standard", "off" or "full"'),
        ({"mode": None}, "/diagnostics/mode", "it must be"),
        ({"on_error": "fail"}, "/diagnostics/on_error", 'it must be "note" or "stop"'),
        ({"verify": True}, "/diagnostics/verify", "it must be false"),
        ({"verify": 0}, "/diagnostics/verify", "it must be false"),
        ({"verify": "later"}, "/diagnostics/verify", 'it must be false or "auto"'),
        ({"rule": {}}, "/diagnostics/rule", "Did you mean `rules`?"),
        (
            {"rules": {"dead_relus": {}}},
            "/diagnostics/rules/dead_relus",
            "Did you mean `dead_relu`?",
        ),
        ({"rules": {"dead_relus": False}}, "/diagnostics/rules/dead_relus", "is not a rule"),
        ({"rules": {"dead_relu": {"share": 2}}}, "/diagnostics/rules/dead_relu/share", "at most 1"),
        ({"rules": {"dead_relu": {"part": 1}}}, "/diagnostics/rules/dead_relu/part", "parameter"),
        ({"rules": {"dead_relu": None}}, "/diagnostics/rules/dead_relu", "it must be an object"),
        (3, "/diagnostics", "it must be"),
    ],
)
def test_faults_say_what_is_allowed(diagnostics: Any, pointer: str, detail: str) -> None:
    found = faults({**SPEC, "diagnostics": diagnostics})
    assert detail in found[pointer], found
    assert len(found) == 1
