"""The most important finding of a job as one sentence."""

from collections.abc import Sequence

from shared.jobs.findings import NewFinding
from shared.json_numbers import json_number
from worker.diagnostics.symptom import number
from worker.diagnostics.view import View
from worker.registry import diagnostics


def headline(job_id: str, findings: Sequence[NewFinding], view: View) -> str | None:
    """Return what is wrong, the number, and what to try; None without an error or a warning.

    Args:
        job_id: the job.
        findings: roots first.
        view: the training now.
    """
    roots = [row for row in findings if row.state == "open" and row.severity != "info"]
    if not roots:
        return None
    root = roots[0]
    outcome, sentence = _outcome(findings, view), root.data["sentence"]
    text = _capitalized(sentence) if outcome is None else f"{outcome}: {sentence}"
    patches = root.data.get("patches") or []
    if patches:
        command = f"`trainshed fork {job_id} --finding {root.id}`"
        return f"{text}. Try {patches[0]['expects']}: {command}"
    return f"{text}. {root.data['next']}." if root.data.get("next") else f"{text}."


def _capitalized(sentence: str) -> str:
    """Return a sentence with a capital letter, unless it begins with the name of a field."""
    is_name = "_" in sentence.partition(" ")[0]
    return sentence if is_name else sentence[0].upper() + sentence[1:]


def _outcome(findings: Sequence[NewFinding], view: View) -> str | None:
    """Return how the training went, where a consequence says so."""
    entries = diagnostics.entries()
    for row in findings:
        if row.state != "open" or row.because_of is None:
            continue
        loss, entry = view.metric("val_data_loss"), entries.get(row.rule)
        is_outcome = entry is not None and entry.facts.get("reports_outcome")
        if is_outcome and loss is not None and json_number(loss) == loss:
            is_chance = 0.8 * view.chance <= loss <= 1.2 * view.chance
            meaning = f" ({view.guessing})" if is_chance else ""
            return f"val_loss stayed near {number(loss)}{meaning}"
    if view.divergence is not None and any(row.because_of for row in findings):
        return f"The training diverged at step {view.divergence.step}"
    return None
