"""Submitting jobs, watching them, ending and repeating them."""

import json
import sys
from typing import Annotated, Any

import typer

from trainshed import show
from trainshed.client import Client
from trainshed.commands.common_options import (
    AsJson,
    Job,
    Preset,
    Spec,
    connect,
    console,
    print_json,
    read_spec,
    say,
)
from trainshed.errors import WrongUsage
from trainshed.exit_codes import OF_STATE
from trainshed.live import live

app = typer.Typer()


@app.command()
def submit(
    spec: Spec = None,
    *,
    preset: Preset = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="watch it to its end")] = False,
    name: Annotated[str | None, typer.Option(help="the job's name")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="key=value, as often as you like")] = None,
    seed: Annotated[int | None, typer.Option(help="the job's seed")] = None,
    as_json: AsJson = False,
) -> None:
    """Submit a job; prints its id."""
    own = dict(_tag(one) for one in tag or [])
    with connect() as client:
        asked = _asked(client, spec, preset)
        if not isinstance(asked, dict):
            raise WrongUsage(f"{spec} has to hold a JSON object")
        tags = asked.get("tags", {})
        if own and not isinstance(tags, dict):
            raise WrongUsage(f"`tags` of {spec} has to be an object of texts, to be added to")
        given = {"name": name, "seed": seed}
        asked |= {field: value for field, value in given.items() if value is not None}
        if own:
            asked["tags"] = {**tags, **own}
        job = client.submit(asked)
        if follow:
            _follow(client, job["id"], as_json=as_json)
    print_json(job) if as_json else say(job["id"])


def _asked(client: Client, spec: str | None, preset: str | None) -> Any:
    """What is to be submitted: from a file, or a preset."""
    if (spec is None) == (preset is None):
        raise WrongUsage("name either a file with a specification or a --preset")
    return read_spec(spec) if spec is not None else client.preset(str(preset))["spec"]


def _in_a_query(tag: str) -> str:
    """A tag to look for: key=value, as `submit` has it, is key:value in a query."""
    key, is_there, value = tag.partition("=")
    return f"{key}:{value}" if is_there and ":" not in key else tag


def _tag(given: str) -> tuple[str, str]:
    key, is_there, value = given.partition("=")
    if not is_there:
        raise WrongUsage(f"a tag is key=value, and this is {given!r}")
    return key, value


@app.command()
def validate(spec: Spec = None, *, preset: Preset = None, as_json: AsJson = False) -> None:
    """Check a specification without submitting it."""
    with connect() as client:
        answer = client.validate(_asked(client, spec, preset))
    print_json(answer) if as_json else show.validation(console, answer)


@app.command("list")
def list_jobs(
    *,
    state: Annotated[str | None, typer.Option(help="queued, running …")] = None,
    tag: Annotated[str | None, typer.Option(help="key, key=value or key:value")] = None,
    dataset: Annotated[str | None, typer.Option(help="a data set's name")] = None,
    limit: Annotated[int, typer.Option(min=1, help="at most so many")] = 20,
    as_json: AsJson = False,
) -> None:
    """The jobs, newest first."""
    query = {"state": state, "tag": tag and _in_a_query(tag), "dataset": dataset}
    with connect() as client:
        found = list(client.jobs(limit=limit, **query))
    print_json(found) if as_json else show.jobs(console, found)


@app.command("show")
def show_job(job: Job, *, as_json: AsJson = False) -> None:
    """One job."""
    with connect() as client:
        found = client.get(job)
    print_json(found) if as_json else show.job(console, found)


@app.command()
def follow(job: Job, *, as_json: AsJson = False) -> None:
    """Watch a job to its end, then show its results. Its end is the exit code."""
    with connect() as client:
        _follow(client, job, as_json=as_json)


def _follow(client: Client, job_id: str, *, as_json: bool) -> None:
    """Watch a job to its end and leave with its exit code."""
    if as_json:
        for event in client.follow(job_id):
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        raise typer.Exit(OF_STATE[client.get(job_id)["state"]])
    say(job_id)
    try:
        job = live(console, client, job_id)
    except KeyboardInterrupt:
        say(f"the job goes on: `trainshed follow {job_id}`, `trainshed cancel {job_id}`")
        raise
    show.ending(console, job)
    raise typer.Exit(OF_STATE[job["state"]])


@app.command()
def logs(
    job: Job,
    *,
    attempt: Annotated[int | None, typer.Option(min=1, help="the newest unless given")] = None,
) -> None:
    """What the training printed: nothing, as a rule."""
    with connect() as client:
        sys.stdout.write(client.logs(job, attempt=attempt))


@app.command()
def cancel(job: Job, *, as_json: AsJson = False) -> None:
    """End a job."""
    with connect() as client:
        found = client.cancel(job)
    print_json(found) if as_json else say(f"{job} is {found['phase'] or found['state']}")


@app.command()
def retry(job: Job, *, as_json: AsJson = False) -> None:
    """Repeat a failed or cancelled job from its last checkpoint; prints the new id."""
    with connect() as client:
        found = client.retry(job)
    print_json(found) if as_json else say(found["id"])
