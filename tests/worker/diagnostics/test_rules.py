"""Every rule finds its demonstration and is silent on the healthy twin."""

import json
from functools import cache
from typing import Any

import pytest

from benchmarks.diagnostics.runs import Run, run
from shared import catalog
from worker.registry import diagnostics

RULES = diagnostics.entries()
DEMONSTRATED = [name for name, entry in RULES.items() if entry.facts.get("demo")]
MOMENTS = {"start", "update", "step", "epoch", "end", "failure"}
REASONS = range(1, 38)


def _spec(rule: str, kind: str) -> dict[str, Any]:
    facts = RULES[rule].facts
    return {**facts[kind], "diagnostics": facts.get("mode", "standard")}


@cache
def _run_of_twin(spec: str) -> Run:
    """Train a specification once for all rules whose twin it is."""
    return run(json.loads(spec))


@pytest.mark.parametrize("rule", DEMONSTRATED)
def test_demonstration_raises_the_rule(rule: str) -> None:
    rules = [row.rule for row in run(_spec(rule, "demo"), until=rule).findings]
    assert rule in rules, rules


@pytest.mark.parametrize("rule", DEMONSTRATED)
def test_healthy_twin_raises_no_error_and_no_warning(rule: str) -> None:
    spec = json.dumps(_spec(rule, "twin"), sort_keys=True)
    assert _run_of_twin(spec).rules("error", "warning") == []


@pytest.mark.parametrize("rule", RULES)
class TestEveryRule:
    def test_facts_are_complete(self, rule: str) -> None:
        facts = RULES[rule].facts
        assert {*facts["when"]} <= MOMENTS
        assert facts["when"]
        assert {*facts["reasons"]} <= {*REASONS}
        assert (facts.get("demo") is None) == (facts.get("twin") is None)

    def test_causes_are_rules(self, rule: str) -> None:
        assert {*RULES[rule].facts["causes"]} <= RULES.keys() - {rule}

    def test_it_has_an_explanation_of_several_sentences(self, rule: str) -> None:
        assert len(RULES[rule].description or "") > 100


def test_causes_have_no_cycle() -> None:
    ranks: dict[str, int] = {}

    def rank(rule: str, path: tuple[str, ...] = ()) -> int:
        assert rule not in path, " → ".join((*path, rule))
        if rule not in ranks:
            causes = RULES[rule].facts["causes"]
            ranks[rule] = 1 + max((rank(name, (*path, rule)) for name in causes), default=-1)
        return ranks[rule]

    assert all(rank(rule) >= 0 for rule in RULES)


def test_catalogue_has_the_facts_that_a_lesson_needs() -> None:
    entries = catalog.load()["diagnostics"]
    assert entries.keys() == RULES.keys()
    assert entries["vanishing_gradient"]["reasons"] == [35]
    assert entries["vanishing_gradient"]["demo"]["architecture"]["activation"] == "sigmoid"
