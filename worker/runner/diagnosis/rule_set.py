"""The rules of a job with their parameters, and what happens when a rule raises."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from worker.diagnostics.symptom import Symptom
from worker.diagnostics.view import Moment, NotMeasured, View
from worker.registry import Entry, diagnostics

log = structlog.get_logger()

Rule = Callable[[View], Symptom | None]


class RuleSet:
    """The rules that a specification leaves on.

    Args:
        mode: `standard`, or `full` for the rules that train on their own too.
        rules: of the specification: parameters by rule, or false.
        task: "classification" or "regression".
    """

    def __init__(self, mode: str, rules: Mapping[str, Any], task: str) -> None:
        self._rules: dict[str, tuple[Entry, Rule]] = {}
        #: Rules that raised an error, with its text.
        self.broken: dict[str, str] = {}
        for name, entry in diagnostics.entries().items():
            chosen = rules.get(name, {})
            is_cheap = entry.facts.get("mode", "standard") == "standard"
            if chosen is False or not (is_cheap or mode == "full"):
                continue
            if task not in entry.facts.get("tasks", (task,)):
                continue
            self._rules[name] = (entry, diagnostics.bind(name, {**entry.defaults, **chosen}))

    def judge(self, moment: Moment, view: View) -> list[tuple[Entry, Symptom | None]]:
        """Return what each rule of a moment finds; a rule that raises is switched off.

        A rule that lacks a measurement is left out, so that its finding stays as it is.
        """
        found: list[tuple[Entry, Symptom | None]] = []
        for name, (entry, rule) in [*self._rules.items()]:
            if moment not in entry.facts["when"]:
                continue
            try:
                found.append((entry, rule(view)))
            except NotMeasured:
                continue
            except Exception as error:  # noqa: BLE001 - no rule may end a training
                found.append((entry, self.switch_off(name, error)))
        return found

    def switch_off(self, name: str, error: Exception) -> Symptom:
        """Switch a rule off for the job; return the symptom that says so."""
        log.warning("a rule failed and is switched off", rule=name, exc_info=error)
        self.broken[name] = type(error).__name__
        self._rules.pop(name, None)
        return Symptom(
            severity="info",
            sentence=f"the rule {name} failed ({type(error).__name__}) and is switched off for "
            "this job",
            statistic="errors",
            value=1.0,
            threshold=0.0,
            direction="above",
            next="The job's log has the details. Report it to the administrator",
            is_certain=True,
        )

    def forget(self, names: Mapping[str, str]) -> None:
        """Switch off the rules that failed before a resume."""
        self.broken |= names
        for name in names:
            self._rules.pop(name, None)
