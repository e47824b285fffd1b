"""Which symptoms become findings, and what explains them."""

import pytest

from worker.diagnostics.symptom import Symptom
from worker.registry import diagnostics
from worker.runner.diagnosis.ledger import Ledger


def symptom(severity: str = "warning") -> Symptom:
    return Symptom(
        severity=severity,  # type: ignore[arg-type]
        sentence="something is wrong",
        statistic="statistic",
        value=1.0,
        threshold=0.5,
        direction="above",
        samples=100,
        is_certain=True,
    )


def observed(
    ledger: Ledger, rule: str, step: int, *, severity: str = "warning", stage: str = "training"
) -> None:
    entry = diagnostics.get(rule)
    ledger.observe(entry, symptom(severity), stage=stage, step=step, epoch=1)


def open_rules(ledger: Ledger) -> dict[str, str | None]:
    ledger.changed()
    ids = {row.id: row.rule for row in ledger.findings}
    return {r.rule: ids.get(r.because_of or "") for r in ledger.findings if r.state == "open"}


def test_a_finding_names_the_open_finding_that_explains_it() -> None:
    ledger = Ledger()
    observed(ledger, "learning_rate_too_high", 20)
    observed(ledger, "prediction_collapse", 40)
    assert open_rules(ledger)["prediction_collapse"] == "learning_rate_too_high"


def test_a_cause_comes_before_its_consequence() -> None:
    ledger = Ledger()
    observed(ledger, "prediction_collapse", 40)
    observed(ledger, "dead_relu", 60)
    assert open_rules(ledger)["prediction_collapse"] is None


def test_what_the_specification_says_explains_what_was_noticed_before_it() -> None:
    ledger = Ledger()
    observed(ledger, "prediction_collapse", 40)
    observed(ledger, "learning_rate_too_high", 60)
    observed(ledger, "prediction_collapse", 50, stage="head")
    ledger.changed()
    found = {row.stage: row for row in ledger.findings if row.rule == "prediction_collapse"}
    assert found["training"].because_of is not None
    assert found["head"].because_of is None


@pytest.mark.parametrize("rule", ["weak_against_baseline", "confused_classes"])
def test_the_answers_of_a_network_that_could_not_learn_are_no_finding(rule: str) -> None:
    ledger = Ledger()
    observed(ledger, "learning_rate_too_high", 20)
    observed(ledger, rule, 240)
    assert list(open_rules(ledger)) == ["learning_rate_too_high"]


@pytest.mark.parametrize("rule", ["weak_against_baseline", "confused_classes"])
def test_the_answers_are_a_finding_where_nothing_worse_is_known(rule: str) -> None:
    ledger = Ledger()
    observed(ledger, "overfit", 200, severity="info")
    observed(ledger, rule, 240)
    assert open_rules(ledger) == {"overfit": None, rule: None}


@pytest.mark.parametrize("first", ["head", "body"])
def test_a_finding_of_the_same_stage_explains_before_that_of_another(first: str) -> None:
    ledger = Ledger()
    for stage in (first, {"head": "body", "body": "head"}[first]):
        observed(ledger, "learning_rate_too_high", 20, stage=stage)
    observed(ledger, "prediction_collapse", 40, stage="body")
    ledger.changed()
    stages = {row.id: row.stage for row in ledger.findings}
    found = next(row for row in ledger.findings if row.rule == "prediction_collapse")
    assert stages[found.because_of or ""] == "body"


def test_a_finding_of_an_earlier_stage_explains_one_of_a_later_stage() -> None:
    ledger = Ledger()
    observed(ledger, "learning_rate_too_high", 20, stage="head")
    observed(ledger, "prediction_collapse", 400, stage="body")
    assert open_rules(ledger)["prediction_collapse"] == "learning_rate_too_high"
