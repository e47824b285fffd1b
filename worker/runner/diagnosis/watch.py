"""The watch: turns the reports of a training into findings, and changes nothing in it.

It is not part of the training loop. What it cannot do within its budget it leaves out, and what
fails in it is switched off.
"""

from dataclasses import dataclass, field
from typing import Any

import structlog

from shared.jobs.events import NewEvent
from shared.jobs.findings import NewDiagnosis, NewFinding, NewWatch
from worker.diagnostics.patches import make_patches
from worker.diagnostics.readings import Divergence, Reading, Record
from worker.diagnostics.view import Moment, View
from worker.runner.diagnosis.budget import Budget
from worker.runner.diagnosis.chance import Chance
from worker.runner.diagnosis.data_reading import read_data
from worker.runner.diagnosis.divergence_reading import divergence_of
from worker.runner.diagnosis.headline import headline
from worker.runner.diagnosis.ledger import Case, Ledger
from worker.runner.diagnosis.measurements import MAX_READINGS, Measurements, thinned
from worker.runner.diagnosis.probe import Probe
from worker.runner.diagnosis.rule_set import RuleSet
from worker.runner.diagnosis.stored_numbers import decoded, encoded
from worker.runner.diagnosis.trials import Trials
from worker.runner.diagnosis.viewing import make_view
from worker.training.divergence import Diverged
from worker.training.experiment import Experiment, Stage
from worker.training.reports import (
    EpochEnded,
    Fitted,
    InitialState,
    Report,
    StageStarted,
    Stepped,
)
from worker.training.state import Position

log = structlog.get_logger()

#: The steps of the first stage after which the network is read.
READ_AFTER = (1, 20)
#: The steps after which only the changes of the weights are judged.
JUDGED_AFTER = (3, 10)
#: The limit of the search of the data.
DATA_SECONDS = 0.4


@dataclass
class Outcome:
    """What a report changed: rows and events to store."""

    diagnosis: NewDiagnosis
    events: list[NewEvent] = field(default_factory=list)


class Watch:
    """Watches one job.

    Args:
        experiment: the job's.
        spec: the filled specification, as it is stored.
        job_id: the job, for the headline.
    """

    def __init__(self, experiment: Experiment, spec: dict[str, Any], *, job_id: str) -> None:
        chosen = spec.get("diagnostics") or {}
        self.budget = Budget()
        self.mode: str = chosen.get("mode", "standard")
        self._experiment, self._spec, self._job_id = experiment, spec, job_id
        self._stops = chosen.get("on_error") == "stop"
        task = experiment.task.name
        self._rules = RuleSet(self.mode, chosen.get("rules") or {}, task)
        self._ledger = Ledger()
        self._measured = Measurements(experiment, Record())
        self._probe: Probe | None = None
        self._chance: Chance | None = None
        self._trials = Trials(experiment, self.budget)
        self._stage_index = 0
        self._step = self._epoch = self._finished_epochs = 0
        self._divergence: Divergence | None = None

    def resume(
        self, position: Position, data: dict[str, Any] | None, *, is_other_job: bool = False
    ) -> None:
        """Continue from the state that `state` returned at a checkpoint.

        Args:
            position: of the training state.
            data: the stored state; None where there is none.
            is_other_job: whether the findings belong to another job and are copied for this job.
        """
        self._stage_index, self._step, self._epoch = position.stage, position.step, position.epoch
        if data is not None:
            stored = decoded(data["watch"])
            self._measured.record = Record.of_json(stored["record"])
            cases = [Case(**case) for case in stored["cases"]]
            self._ledger = Ledger.copied(cases) if is_other_job else Ledger(cases)
            self._rules.forget(stored["broken"])
            self.budget.restore(None if is_other_job else stored.get("budget"))
        record = self._measured.record
        record.stage_step, record.epoch_step = position.stage_step, position.epoch_step
        if position.stage == 0:
            # The initial weights: the state is loaded later. A later stage's are not kept.
            self._trials.keep_weights()

    def state(self) -> NewWatch:
        """Return what a resumed attempt needs to find the same, at the last report."""
        self._measured.read_updates()
        rows = self._ledger.findings
        return NewWatch(
            step=self._step,
            epoch=self._finished_epochs,
            data={
                "findings": [vars(row) for row in rows],
                "counts": self._ledger.counts(),
                "headline": self._headline(rows),
                "watch": encoded(
                    {
                        "record": self._measured.record.as_json(),
                        "cases": self._ledger.cases,
                        "broken": self._rules.broken,
                        "budget": self.budget.as_json(),
                    }
                ),
            },
        )

    @property
    def hopeless(self) -> NewFinding | None:
        """The first open error that nothing explains, where an error ends the job."""
        if not self._stops:
            return None
        return next(
            (r for r in self._ledger.findings if r.state == "open" and r.severity == "error"), None
        )

    def observe(self, report: Report) -> Outcome | None:
        """Measure what a report shows, and return what changed in the findings."""
        try:
            with self.budget.measured():
                return self._observe(report)
        except Exception:  # the watch may fail, the training may not
            log.exception("the watch failed; the training continues")
            return None

    def observe_divergence(self, error: Diverged) -> Outcome | None:
        """Return what a training that is not finite any more shows."""
        try:
            with self.budget.measured():
                self._measured.add_values(error.values)
                layers = self._reading().layers
                self._divergence = divergence_of(
                    error, self._experiment, self._measured.record, layers
                )
                self._step = error.step
                return self._judge("failure")
        except Exception:
            log.exception("the watch failed")
            return None

    def _observe(self, report: Report) -> Outcome | None:
        self._step, self._epoch = report.step, report.epoch
        # As a training state counts: an epoch is finished once it is validated.
        self._finished_epochs = report.epoch - isinstance(report, Stepped)
        if isinstance(report, InitialState):
            self._trials.keep_weights()
            self._measured.record.data = read_data(self._experiment, seconds=DATA_SECONDS)
            self._read()
            return self._judge("start")
        if isinstance(report, StageStarted):
            self._start_stage(report)
        elif isinstance(report, Stepped):
            return self._observe_step(report)
        elif isinstance(report, EpochEnded):
            self._measured.add_values(report.values)
            self._measured.read_updates()
            self._measured.add_epoch(report)
            self.budget.end_epoch()
            self._read(is_optional=True)
            outcome = self._judge("epoch")
            self._measured.prepare_step(self._stage)
            return outcome
        elif isinstance(report, Fitted):
            return self._judge("end")
        return None

    def _start_stage(self, report: StageStarted) -> None:
        names = [stage.name for stage in self._experiment.stages]
        self._stage_index = names.index(report.stage)
        if not report.is_resumed and self._stage_index > 0:
            self._measured.start_stage()
            self.budget.start_stage()
            self._trials.keep_weights()
        self._measured.prepare_step(self._stage)

    def _observe_step(self, report: Stepped) -> Outcome | None:
        self._measured.add_step(self._stage, report.step, report.epoch)
        self._measured.add_values(report.values)
        outcome = None
        if report.step in READ_AFTER:
            self._measured.read_updates()
            self._read()
            outcome = self._judge("step")
        elif report.step in JUDGED_AFTER:
            self._measured.read_updates()
            outcome = self._judge("update")
        if not report.ends_epoch:
            self._measured.prepare_step(self._stage)
        return outcome

    @property
    def _stage(self) -> Stage:
        stages = self._experiment.stages
        return stages[min(self._stage_index, len(stages) - 1)]

    def _read(self, *, is_optional: bool = False) -> None:
        """Read the network on the sample, if that fits into the budget or must be."""
        if is_optional and not self.budget.allows_reading:
            return
        with self.budget.reading():
            reading = self._reading()
        record = self._measured.record
        record.readings = thinned([*record.readings, reading], *MAX_READINGS)

    def _reading(self) -> Reading:
        if self._probe is None:
            weights = (self._spec.get("fine_tuning") or {}).get("weights")
            self._probe = Probe(self._experiment, is_pretrained=bool(weights))
        return self._probe.read(
            step=self._step,
            epoch=self._epoch,
            has_own_statistics=not self._stage.keeps_statistics,
        )

    def _judge(self, moment: Moment) -> Outcome | None:
        """Run the rules of a moment; return the findings that changed."""
        view = self._view(moment)
        for entry, symptom in self._rules.judge(moment, view):
            case = self._ledger.observe(
                entry, symptom, stage=self._stage.name, step=self._step, epoch=self._epoch
            )
            if case is None or symptom is None:
                continue
            case.data["explanation"] = _explanation(entry.summary, entry.description)
            case.data["reasons"] = list(entry.facts["reasons"])
            try:
                self._ledger.add_patches(case, make_patches(symptom.patches, view))
            except Exception as error:
                self._ledger.add_patches(case, ())
                log.warning("no patch could be made", rule=entry.name, exc_info=error)
        changed = self._ledger.changed()
        if not changed:
            return None
        events = [
            NewEvent("finding", _event(row), self._step) for row, is_news in changed if is_news
        ]
        rows = self._ledger.findings
        diagnosis = NewDiagnosis(
            findings=[row for row, _ in changed],
            counts=self._ledger.counts(),
            headline=self._headline(rows, view),
        )
        return Outcome(diagnosis, events)

    def _headline(self, rows: list[NewFinding], view: View | None = None) -> str | None:
        return headline(self._job_id, rows, view or self._view("epoch"))

    def _view(self, moment: Moment) -> View:
        if self._chance is None:
            self._chance = Chance.of(self._experiment)
        return make_view(
            moment,
            self._experiment,
            self._spec,
            self._measured.record,
            self._chance,
            self._trials,
            self.budget,
            stage_index=self._stage_index,
            step=self._step,
            epoch=self._epoch,
            divergence=self._divergence,
        )


def _explanation(summary: str, description: str | None) -> str:
    return f"{summary} {description}" if description else summary


def _event(row: NewFinding) -> dict[str, Any]:
    return {
        "id": row.id,
        "rule": row.rule,
        "severity": row.severity,
        "state": row.state,
        "text": row.data["sentence"],
    }
