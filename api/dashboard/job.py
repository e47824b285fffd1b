"""The pages of a job: overview, results, log and specification."""

import asyncio
import json
import shlex
import time
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from api.dashboard import job_view
from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.charts.job_charts import POINTS, draw_job, epochs_table
from api.dashboard.page import ApiDep, page_router, render
from shared.states import FINAL

router = page_router()

#: A patch that is forked twice within this time makes one job.
ONCE_SECONDS = 600
LOG_BYTES = 100_000
#: Lines of a log that the page shows, and characters of a line.
LOG_LINES, LINE_CHARACTERS = 500, 4000

Axis = Literal["linear", "log"]
#: As typed: the API says what is wrong with it.
Epoch = Annotated[str, Query(max_length=40)]
INVALID = 422


@router.get("/jobs/{job_id}")
async def get_job_page(
    request: Request,
    api: ApiDep,
    job_id: str,
    y: Axis = "linear",
    from_epoch: Epoch = "",
    to_epoch: Epoch = "",
) -> Response:
    """Return the overview: state and cause, curves, findings, checkpoints, attempts.

    The curves of a few epochs, from `from_epoch` to `to_epoch`, have all their points. Where these
    are no epochs, all are drawn, and the form says what is wrong.
    """
    typed = {"from_epoch": from_epoch.strip(), "to_epoch": to_epoch.strip()}
    path, job = _path(job_id), await _read(api, job_id)
    # After the job: what is shown is not older than the version that the page is said to have.
    (metrics, window, faults), findings, checkpoints = await asyncio.gather(
        _read_curves(api, path, typed),
        api.get(f"{path}/findings"),
        api.get(f"{path}/checkpoints", limit=100),
    )
    explanation = await _explain(api, path) if job["state"] == "queued" else None
    names, epochs = epochs_table(metrics["data"])
    return render(
        request,
        "job/overview.html",
        status_code=INVALID if faults else 200,
        **header(job, "overview"),
        charts=draw_job(job, metrics["data"], is_log=y == "log", **window),
        y=y,
        typed_epochs=typed,
        epoch_faults=faults,
        other_axis=_query({**window, "y": None if y == "log" else "log"}),
        explanation=explanation,
        epoch_names=names,
        epochs=epochs,
        findings=findings["data"],
        once=int(time.time() // ONCE_SECONDS),
        checkpoints=_best_first(checkpoints["data"]),
    )


async def _read_curves(
    api: ApiClient, path: str, typed: dict[str, str]
) -> tuple[dict[str, Any], dict[str, int | None], list[str]]:
    """Return the series of some epochs, these epochs, and what is wrong with them."""
    given = {name: text for name, text in typed.items() if text}
    try:
        metrics = await api.get(f"{path}/metrics", points=POINTS, **given)
    except ApiError as error:
        if error.status != INVALID or not given:
            raise
        metrics = await api.get(f"{path}/metrics", points=POINTS)
        faults = [
            f"`{each['pointer'].rpartition('/')[2]}` {each['detail']}."
            for each in error.problem["errors"]
        ]
        return metrics, dict.fromkeys(typed), faults
    return metrics, {name: int(text) if text else None for name, text in typed.items()}, []


@router.get("/jobs/{job_id}/log")
async def get_log_page(
    request: Request,
    api: ApiDep,
    job_id: str,
    attempt: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Return the end of the log of an attempt."""
    path, job = _path(job_id), await _read(api, job_id)
    text = ""
    if job["attempt"]:
        answer = await api.call("GET", f"{path}/logs", {"attempt": attempt, "tail": LOG_BYTES})
        text = answer.body.decode()
    lines = [line[:LINE_CHARACTERS] for line in text.splitlines()]
    return render(
        request,
        "job/log.html",
        **header(job, "log"),
        lines=lines[-LOG_LINES:],
        is_cut=len(text.encode()) >= LOG_BYTES or len(lines) > LOG_LINES,
        attempt=attempt or job["attempt"],
    )


@router.get("/jobs/{job_id}/spec")
async def get_spec_page(request: Request, api: ApiDep, job_id: str) -> Response:
    """Return the specification, and the request that submits it again."""
    job = await _read(api, job_id)
    address = str(request.base_url).rstrip("/")
    body = shlex.quote(_on_a_line(job["spec"]))
    curl = (
        f'curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" '
        f"\\\n  -d {body} \\\n  {address}/v1/jobs"
    )
    return render(request, "job/spec.html", **header(job, "spec"), curl=curl)


async def _read(api: ApiClient, job_id: str) -> dict[str, Any]:
    """Return a job with its `etag`, by which its page finds out that it has changed."""
    answer = await api.call("GET", _path(job_id), {})
    return {**answer.json, "etag": answer.headers["etag"]}


def _query(values: dict[str, Any]) -> str:
    """Return the query of an address, without values that are None."""
    return urlencode({name: value for name, value in values.items() if value is not None})


async def _explain(api: ApiClient, path: str) -> dict[str, Any] | None:
    """Return why the job waits; None if it has started since its state was read."""
    explanation = await api.get(f"{path}/explain")
    return explanation if explanation["state"] == "queued" else None


def _on_a_line(spec: Any) -> str:
    """Return a specification on a line."""
    return json.dumps(spec, ensure_ascii=False)


def header(job: dict[str, Any], tab: str) -> dict[str, Any]:
    """Return what every page of a job shows, with the name of its tab."""
    return {
        "job": job,
        "etag": job.get("etag"),
        "tab": tab,
        "base": f"/jobs/{job['id']}",
        "word": job_view.word(job),
        "sentence": job_view.sentence(job),
        "actions": job_view.actions(job),
        "tiles": job_view.tiles(job),
        "is_final": job["state"] in FINAL,
    }


def _path(job_id: str) -> str:
    return f"/v1/jobs/{job_id}"


def _best_first(checkpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the checkpoints: the best of the monitors, then the others, the newest first."""
    return sorted(checkpoints, key=lambda each: (each["monitor"] is None, -each["epoch"]))
