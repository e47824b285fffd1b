"""A finding as the API shows it."""

from typing import Any

from shared.jobs.findings import FindingRow

NO_CHECK = {"state": "none", "job": None, "gain": None}


def finding_json(row: FindingRow) -> dict[str, Any]:
    """Return a finding."""
    data = row.data
    return {
        "id": row.id,
        "object": "finding",
        "job": row.job_id,
        "rule": row.rule,
        "severity": row.severity,
        "state": row.state,
        "stage": row.stage,
        "first_step": row.first_step,
        "last_step": row.last_step,
        "epoch": row.epoch,
        "layers": data.get("layers", []),
        "because_of": row.because_of,
        "sentence": data.get("sentence", ""),
        "evidence": data.get("evidence", {}),
        "explanation": data.get("explanation", ""),
        "next": data.get("next"),
        "reasons": data.get("reasons", []),
        "patches": [_patch_json(patch) for patch in data.get("patches", [])],
    }


def _patch_json(patch: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": patch["id"],
        "operations": patch["operations"],
        "expects": patch["expects"],
        "check": patch.get("check", NO_CHECK),
    }
