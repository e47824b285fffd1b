"""What a form of a job begins with: nothing, a preset, or a job that is forked."""

from dataclasses import dataclass
from typing import Any

from fastapi.concurrency import run_in_threadpool

from api.dashboard.api_client import ApiClient
from api.jobs.forks import propose_name
from api.services.container import Services

Json = dict[str, Any]

#: What a person can start with where no preset is chosen.
EMPTY: Json = {"dataset": {"name": "digits"}, "architecture": {"name": "mlp"}}


@dataclass(frozen=True)
class Start:
    """The beginning of a form, to which its changes are compared."""

    address: str
    spec: Json
    preset: str | None = None
    #: The job that is forked.
    origin: Json | None = None
    #: The name that a job has whose name is left empty.
    name: str = ""


async def start_of_new(api: ApiClient, preset: str | None) -> Start:
    """Return the start of a new job."""
    spec = EMPTY if not preset else (await api.get(f"/v1/presets/{preset}"))["spec"]
    return Start("/jobs/new", spec, preset=preset)


async def start_of_fork(api: ApiClient, services: Services, job_id: str, account: str) -> Start:
    """Return the start of a fork, which has a name of its own."""
    job = await api.get(f"/v1/jobs/{job_id}")
    name = await run_in_threadpool(propose_name, services, job_id, owner=account)
    spec = {field: value for field, value in job["spec"].items() if field != "name"}
    return Start(f"/jobs/{job_id}/fork", spec, origin=job, name=name)
