"""The rules that watch the training: whether they exist, their parameters, and their task."""

from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft

AT = "/diagnostics/rules"


def choose_rules(draft: Draft) -> None:
    """Fill in the parameters of the rules that the specification names; false switches a rule off.

    Rules that it does not name have the defaults of the catalogue.
    """
    raw = draft.raw.get("diagnostics")
    given = raw.get("rules") if isinstance(raw, dict) else None
    filled = draft.named("diagnostics", given, AT)
    names = given if isinstance(given, dict) else {}
    known = draft.methods.catalog["diagnostics"]
    switched_off = {name: False for name in names if names[name] is False and name in known}
    if "diagnostics" in draft.filled:
        draft.filled["diagnostics"]["rules"] = {**filled, **switched_off}


def check_task(draft: Draft) -> None:
    """Check that the rules are for the task of the job."""
    if draft.spec is None or draft.task is None:
        return
    entries = draft.methods.catalog["diagnostics"]
    for name, parameters in draft.filled["diagnostics"]["rules"].items():
        tasks = entries[name].get("tasks", [draft.task])
        if parameters is not False and draft.task not in tasks:
            text = f"is a rule for {' and '.join(tasks)}, but the loss "
            text += f"{draft.filled['loss']['name']} is for {draft.task}; leave it out"
            draft.fault(pointer("diagnostics", "rules", name), text)
