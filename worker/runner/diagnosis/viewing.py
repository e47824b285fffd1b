"""The training as rules see it, made from what the watch has measured."""

from typing import Any

from worker.diagnostics.readings import Divergence, Record
from worker.diagnostics.view import Moment, View
from worker.runner.diagnosis.budget import Budget
from worker.runner.diagnosis.chance import Chance
from worker.runner.diagnosis.final_answers import FinalAnswers
from worker.runner.diagnosis.stage_view import stage_view
from worker.runner.diagnosis.trials import Trials
from worker.training.experiment import Experiment


def make_view(
    moment: Moment,
    experiment: Experiment,
    spec: dict[str, Any],
    record: Record,
    chance: Chance,
    trials: Trials,
    budget: Budget,
    /,
    *,
    stage_index: int,
    step: int,
    epoch: int,
    divergence: Divergence | None,
) -> View:
    """Return what the rules of a moment receive."""
    stage = experiment.stages[min(stage_index, len(experiment.stages) - 1)]
    read_samples = record.readings[-1].samples if record.readings else 1
    final = FinalAnswers(experiment, budget, read_samples)
    return View(
        moment=moment,
        spec=spec,
        stage=stage_view(experiment, stage_index, spec),
        step=step,
        epoch=epoch,
        classes=experiment.classes,
        chance=chance.loss,
        equal_scores_loss=chance.equal_scores_loss,
        target_floor=chance.target_floor,
        readings=tuple(record.readings),
        updates=tuple(record.updates),
        steps=tuple(record.steps),
        epochs=tuple(record.epochs),
        data=record.data,
        divergence=divergence,
        range_test=lambda: trials.range_test(stage, record),
        overfit_test=lambda: trials.overfit_test(stage, record),
        gradient_check=trials.gradient_check,
        shuffled_control=lambda: trials.shuffled_control(stage, record),
        noise=tuple(record.noise),
        gradient_noise=lambda: trials.gradient_noise(stage, record, step=step, epoch=epoch),
        validation=final.validation,
        baseline=final.baseline,
    )
