"""What pages say about a job: one row of a list, and the sentence at the top of its page."""

from collections.abc import Iterable
from typing import Any

from api.dashboard import formats
from shared.states import FINAL

Json = dict[str, Any]

#: What a person can do to a job in each state: the address, and the word on the button.
ACTIONS = {
    "queued": (("pause", "Pause"), ("cancel", "Cancel")),
    "running": (("pause", "Pause"), ("cancel", "Cancel")),
    "paused": (("resume", "Resume"), ("cancel", "Cancel")),
    "failed": (("retry", "Retry"),),
    "cancelled": (("retry", "Retry"),),
    "succeeded": (),
}
DESTRUCTIVE = {"cancel"}


def row(job: Json) -> Json:
    """Return a job for a row of a list; what cannot be read is left out."""
    spec, progress = job["spec"] or {}, job["progress"] or {}
    best_name, best = best_of(job)
    failure = job["failure"] or {}
    return {
        "id": job["id"],
        "name": formats.label(job),
        "owner": job["owner"] or formats.NOTHING,
        "state": job["state"] or "unreadable",
        "word": word(job),
        "dataset": formats.name_of(spec.get("dataset")),
        "architecture": formats.name_of(spec.get("architecture")),
        "epoch": progress.get("epoch"),
        "epochs": progress.get("epochs"),
        "fraction": progress.get("fraction"),
        "eta_seconds": progress.get("eta_seconds"),
        "best_name": best_name,
        "best": best,
        "test": _test_value(job),
        "position": job["queue_position"],
        "priority": job["priority"],
        "reason": job["reason"],
        "failure": failure.get("kind"),
        "message": failure.get("message"),
        "headline": job["headline"],
        "findings": {"error": 0, "warning": 0, **(job["findings"] or {})},
        "device": ", ".join(job["devices"] or []),
        "created_at": job["created_at"],
        "started_at": job["started_at"],
        "finished_at": job["finished_at"],
        "actions": actions(job),
    }


def actions(job: Json) -> list[Json]:
    """Return what can be done to the job now."""
    if job["cancel_requested_at"] and job["state"] not in FINAL:
        return []
    if job["pause_requested_at"] and job["state"] == "running":
        return _buttons((("resume", "Keep running"), ("cancel", "Cancel")))
    return actions_of(job["state"] or "")


def actions_of(state: str) -> list[Json]:
    """Return what can be done to a job in a state."""
    return _buttons(ACTIONS.get(state, ()))


def _buttons(found: Iterable[tuple[str, str]]) -> list[Json]:
    return [
        {"verb": verb, "label": label, "is_destructive": verb in DESTRUCTIVE}
        for verb, label in found
    ]


def word(job: Json) -> str:
    """Return the state, or what is about to become of it."""
    state = job["state"] or "unreadable"
    if state in FINAL or state == "unreadable":
        return state
    if job["cancel_requested_at"]:
        return "cancelling…"
    if job["pause_requested_at"] and state == "running":
        return "pausing…"
    if job["phase"] == "yielding" and state == "running":
        return "yielding…"
    return state


def best_of(job: Json) -> tuple[str | None, Json | None]:
    """Return the first monitor of the specification that is an accuracy, or the first of all."""
    best = {name: value for name, value in (job["best"] or {}).items() if value.get("epoch")}
    name = next((name for name in best if "accuracy" in name), next(iter(best), None))
    return name, best.get(name) if name else None


def _test_value(job: Json) -> tuple[str, Any] | None:
    metrics = job["metrics"] or {}
    for name in ("test_accuracy", "test_mean_absolute_error", "test_loss"):
        if name in metrics:
            return name, metrics[name]
    return None


def sentence(job: Json) -> str:
    """Return where a job stands, as a sentence."""
    state = job["state"]
    if state == "queued":
        return _waiting(job)
    if state == "running":
        return _running(job)
    if state == "paused":
        return "Paused; it continues from its last checkpoint when it is resumed."
    return f"{_capitalized(job['ending'] or state or 'The record cannot be read')}."


def _waiting(job: Json) -> str:
    position = job["queue_position"]
    place = f"Number {position} in the queue" if position else "In the queue"
    if job["reason"] == "yielded":
        return f"{place}. It gave way to a waiting job and continues by itself."
    return f"{place}{': ' + job['reason'] if job['reason'] else ''}."


def _on_devices(job: Json) -> str:
    return f" on {', '.join(job['devices'])}" if job["devices"] else ""


def _running(job: Json) -> str:
    progress, name_best = job["progress"], best_of(job)
    if progress is None:
        return f"Preparing{_on_devices(job)}: {job['phase']}."
    stage = f" in stage {progress['stage']}" if _has_stages(job) else ""
    text = f"Epoch {progress['epoch']} of {progress['epochs']}{stage}"
    if progress["eta_seconds"] is not None:
        text += f", {formats.duration(progress['eta_seconds'])} to go"
    text += f"{_on_devices(job)}."
    name, best = name_best
    if best is not None:
        value = formats.metric(best["value"], str(name))
        text += f" Best {name} {value} at epoch {best['epoch']}."
    return text


def _has_stages(job: Json) -> bool:
    fine_tuning = (job["spec"] or {}).get("fine_tuning")
    return bool(fine_tuning and fine_tuning.get("stages"))


def _capitalized(text: str) -> str:
    return (text[:1].upper() + text[1:]).rstrip(".")


def tiles(job: Json) -> list[Json]:
    """Return the most important values of a job: label, value, and what to read with it."""
    metrics, progress = job["metrics"] or {}, job["progress"] or {}
    name, best = best_of(job)
    found = []
    if best is not None:
        value = formats.metric(best["value"], str(name))
        found.append({"label": f"best {name}", "value": value, "note": f"epoch {best['epoch']}"})
    test = _test_value(job)
    if test is not None:
        value = formats.metric(test[1], test[0])
        found.append({"label": test[0], "value": value, "note": "of the best checkpoint"})
    if "generalization_gap" in metrics:
        gap = formats.short(metrics["generalization_gap"])
        found.append({"label": "generalization gap", "value": gap, "note": "val − train loss"})
    if progress.get("images_per_second"):
        speed = formats.short(progress["images_per_second"])
        found.append({"label": "speed", "value": speed, "note": "images/s"})
    if "learning_rate" in metrics:
        rate = formats.short(metrics["learning_rate"])
        found.append({"label": "learning rate", "value": rate, "note": ""})
    seconds = formats.between(job["started_at"], job["finished_at"])
    note = "so far" if job["finished_at"] is None else "from start to end"
    if job["started_at"]:
        found.append({"label": "duration", "value": seconds, "note": note})
    return found[:6]
