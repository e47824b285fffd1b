"""A finding as the API shows it."""

from collections.abc import Mapping
from typing import Any

from shared.jobs.findings import FindingRow
from shared.jobs.verifications import PatchCheck

NO_CHECK = PatchCheck("none")


def finding_json(row: FindingRow, checks: Mapping[str, PatchCheck]) -> dict[str, Any]:
    """Return a finding.

    Args:
        row: the finding.
        checks: of the job's patches, by the id of the patch.
    """
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
        "patches": [_patch_json(patch, checks) for patch in data.get("patches", [])],
    }


def _patch_json(patch: dict[str, Any], checks: Mapping[str, PatchCheck]) -> dict[str, Any]:
    check = checks.get(patch["id"], NO_CHECK)
    shown: dict[str, Any] = {"state": check.state, "job": check.job, "gain": check.gain}
    if check.detail is not None:
        shown["detail"] = check.detail
    return {
        "id": patch["id"],
        "operations": patch["operations"],
        "expects": patch["expects"],
        "check": shown,
    }
