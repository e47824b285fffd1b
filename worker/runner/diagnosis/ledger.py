"""The findings of a job: when a symptom becomes a finding, and what explains it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Self

from shared.ids import new_id
from shared.jobs.findings import NO_FINDINGS, SEVERITIES, NewFinding, Severity
from shared.json_numbers import json_number
from worker.diagnostics.patches import Patch
from worker.diagnostics.symptom import Symptom
from worker.registry import Entry, diagnostics

#: Hits in a row that make a finding, and misses in a row that resolve it.
HITS, MISSES = 2, 2
#: The first steps count as one moment when a cause has to come before its consequence.
FIRST_STEPS = 20


@dataclass
class Case:
    """What a rule has found in a stage so far."""

    rule: str
    stage: str
    id: str
    #: Of the symptom, before a cause caps it.
    severity: Severity = "info"
    hits: int = 0
    misses: int = 0
    occurrences: int = 0
    is_open: bool = False
    was_open: bool = False
    first_step: int = 0
    last_step: int = 0
    epoch: int = 0
    because_of: str | None = None
    #: The part of the finding that comes from the symptom.
    data: dict[str, Any] = field(default_factory=dict)


class Ledger:
    """The cases of a job by rule and stage."""

    def __init__(self, cases: list[Case] | None = None) -> None:
        self._cases = {(case.rule, case.stage): case for case in cases or []}
        self._stored: dict[tuple[str, str], NewFinding] = {
            key: self._finding(case) for key, case in self._cases.items() if case.was_open
        }

    @classmethod
    def copied(cls, cases: list[Case]) -> Self:
        """Return a ledger with copies of another job's cases, which `changed` returns as new."""
        ledger = cls()
        for case in cases:
            case.id = new_id("fnd")
            for patch in case.data.get("patches", ()):
                patch["id"] = new_id("pat")
            ledger._cases[case.rule, case.stage] = case
        return ledger

    def observe(
        self, entry: Entry, symptom: Symptom | None, *, stage: str, step: int, epoch: int
    ) -> Case | None:
        """Record the result of a rule; return the case if it has just become a finding."""
        key = (entry.name, stage)
        if self._cause(entry.facts.get("covered_by", ()), stage, step) is not None:
            symptom = None
        if symptom is None:
            case = self._cases.get(key)
            if case is not None:
                case.hits, case.misses = 0, case.misses + 1
                case.is_open = case.is_open and case.misses < MISSES
            return None
        case = self._cases.setdefault(key, Case(entry.name, stage, new_id("fnd")))
        if not case.hits and not case.is_open:
            case.first_step, case.epoch = step, epoch
        case.hits, case.misses = case.hits + 1, 0
        case.occurrences, case.last_step = case.occurrences + 1, step
        is_new = not case.is_open
        case.is_open = case.is_open or symptom.is_certain or case.hits >= HITS
        if is_new or SEVERITIES.index(symptom.severity) <= SEVERITIES.index(case.severity):
            case.severity = symptom.severity
            case.data |= _data(symptom)
        if not (is_new and case.is_open):
            return None
        case.was_open = True
        case.data |= {"opened_step": step, "opened_epoch": epoch}
        return case

    def add_patches(self, case: Case, patches: tuple[Patch, ...]) -> None:
        """Offer patches for a finding."""
        case.data["patches"] = [
            {
                "id": new_id("pat"),
                "name": patch.name,
                "operations": list(patch.operations),
                "expects": patch.expects,
            }
            for patch in patches
        ]

    def changed(self) -> list[tuple[NewFinding, bool]]:
        """Return the findings that changed since the last call.

        Each comes with whether it is news: a new finding, or another state or severity.
        """
        self._explain()
        found: list[tuple[NewFinding, bool]] = []
        for key, case in self._cases.items():
            if not case.was_open:
                continue
            old, row = self._stored.get(key), self._finding(case)
            if row != old:
                self._stored[key] = row
                is_news = old is None or (old.state, old.severity) != (row.state, row.severity)
                found.append((row, is_news))
        return found

    @property
    def findings(self) -> list[NewFinding]:
        """Every finding, roots first, as they were when `changed` was called last."""
        return sorted(self._stored.values(), key=order)

    @property
    def cases(self) -> list[dict[str, Any]]:
        """The cases as they are stored."""
        return [asdict(case) for case in self._cases.values()]

    def counts(self) -> dict[str, int]:
        """Return the number of open findings by severity."""
        counts = dict(NO_FINDINGS)
        for row in self._stored.values():
            counts[row.severity] += row.state == "open"
        return counts

    def _explain(self) -> None:
        """Find for each open case the open case that explains it."""
        entries = diagnostics.entries()
        for case in self._cases.values():
            if case.is_open:
                entry = entries.get(case.rule)
                causes = entry.facts["causes"] if entry else ()
                cause = self._cause(causes, case.stage, case.first_step)
                case.because_of = cause.id if cause else None

    def _cause(self, rules: Iterable[str], stage: str, step: int) -> Case | None:
        """Return the open case that explains what begins at a step of a stage.

        Of several it is that of the first rule, and of this rule that of the same stage. What holds
        from the start of a stage explains all of it, whenever it was noticed.
        """
        entries = diagnostics.entries()
        for name in rules:
            holds = name in entries and entries[name].facts.get("holds_from_start", False)
            cases = [
                case
                for case in self._cases.values()
                if case.rule == name and case.is_open and case.severity != "info"
                if case.first_step <= max(step, FIRST_STEPS) or (holds and case.stage == stage)
            ]
            if cases:
                return max(cases, key=lambda case: (case.stage == stage, case.first_step))
        return None

    def _finding(self, case: Case) -> NewFinding:
        is_consequence = case.because_of is not None
        return NewFinding(
            id=case.id,
            rule=case.rule,
            stage=case.stage,
            severity="info" if is_consequence else case.severity,
            state="open" if case.is_open else "resolved",
            first_step=case.first_step,
            last_step=case.last_step,
            epoch=case.epoch,
            because_of=case.because_of,
            data=dict(case.data, occurrences=case.occurrences, rank=_rank(case.rule)),
        )


def order(row: NewFinding) -> tuple[Any, ...]:
    """Return the key by which findings are sorted: open roots first, errors before warnings."""
    return (
        row.state != "open",
        row.because_of is not None,
        SEVERITIES.index(row.severity),
        row.data["rank"],
        row.first_step,
        row.rule,
        row.id,
    )


@cache
def _rank(rule: str) -> int:
    """Return the length of the longest chain of causes before a rule."""
    entry = diagnostics.entries().get(rule)
    causes = entry.facts.get("causes", ()) if entry else ()
    return 1 + max(map(_rank, causes), default=-1)


def _data(symptom: Symptom) -> dict[str, Any]:
    """Return the parts of a finding that come from a symptom, as JSON."""
    return {
        "sentence": symptom.sentence,
        "layers": [name for name, _ in symptom.layers],
        "evidence": {
            "statistic": symptom.statistic,
            "value": json_number(symptom.value),
            "threshold": json_number(symptom.threshold),
            "direction": symptom.direction,
            "samples": symptom.samples,
            "series": [[step, json_number(value)] for step, value in symptom.series],
            "layers": {name: json_number(value) for name, value in symptom.layers},
            **{name: _finite(value) for name, value in symptom.details.items()},
        },
        "next": symptom.next,
    }


def _finite(value: Any) -> Any:
    """Return a value with text in the place of numbers that JSON does not have."""
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    return value
