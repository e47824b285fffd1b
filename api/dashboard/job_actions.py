"""Cancelling, pausing, resuming and retrying a job by a form."""

from typing import Annotated, Any, Literal

from fastapi import Form, Response

from api.dashboard.page import ApiDep, page_router, redirect

router = page_router()

Verb = Literal["cancel", "pause", "resume", "retry"]


@router.post("/jobs/{job_id}/{verb}")
async def change_job(
    api: ApiDep,
    job_id: str,
    verb: Verb,
    back: Annotated[str, Form(max_length=8000)] = "",
) -> Response:
    """Make a change and lead back to the page; a retry leads to the new job."""
    job: dict[str, Any] = await api.post(f"/v1/jobs/{job_id}/{verb}")
    if verb == "retry" or not _is_page(back):
        return redirect(f"/jobs/{job['id']}")
    return redirect(back)


@router.post("/jobs/{job_id}/fork/finding")
async def fork_with_patch(
    api: ApiDep,
    job_id: str,
    finding: Annotated[str, Form(max_length=100)],
    patch: Annotated[str, Form(max_length=100)],
    once: Annotated[str, Form(max_length=100)],
) -> Response:
    """Submit the specification with the patch of a finding, and lead to the new job.

    `once` changes every ten minutes, so that a second click makes no second job.
    """
    body = {"finding": finding, "patch": patch}
    job = await api.post(f"/v1/jobs/{job_id}/fork", body, idempotency_key=f"{once}-{patch}")
    return redirect(f"/jobs/{job['id']}")


def _is_page(address: str) -> bool:
    return address.startswith("/") and not address.startswith(("//", "/\\"))
