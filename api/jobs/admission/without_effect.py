"""Warnings: options that have no effect, since another option switches off what they change."""

from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft

#: The values of options that change nothing.
UNUSED = {"on_error": "note", "rules": {}, "verify": False}


def check_diagnostics(draft: Draft) -> None:
    """Warn of options of the diagnostics where no rule watches the training."""
    raw = draft.raw.get("diagnostics")
    if not isinstance(raw, dict) or raw.get("mode") != "off":
        return
    for field in ("on_error", "rules", "verify"):
        if draft.filled["diagnostics"][field] != UNUSED[field]:
            suggestion = 'Use the mode "standard", or leave this out.'
            text = 'has no effect with the mode "off", in which no rule watches the training'
            draft.warn(f"/diagnostics/{field}", text, suggestion)


def check_fill_mode(draft: Draft) -> None:
    """Warn of a way to fill areas where no augmentation leaves an area empty."""
    names = [*draft.filled["augmentation"]]
    entries = draft.methods.catalog["augmentations"]
    if any(entries[name].get("leaves_gaps") for name in names):
        return
    for name in names:
        if entries[name].get("fills_gaps"):
            moving = draft.methods.with_fact("augmentations", "leaves_gaps")
            text = "has no effect, since no augmentation moves pixels away from the border"
            suggestion = f"Add {', '.join(moving[:-1])} or {moving[-1]}, or leave it out."
            draft.warn(pointer("augmentation", name), text, suggestion)
