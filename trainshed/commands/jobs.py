"""Commands that submit, list, follow, cancel, pause and retry jobs."""

import json
import sys
from typing import Annotated, Any

import typer

from trainshed.client import Client
from trainshed.commands.common_options import (
    AsJson,
    Changes,
    Job,
    Preset,
    Spec,
    connect,
    console,
    error_console,
    print_json,
    print_line,
    read_spec,
)
from trainshed.errors import WrongUsage
from trainshed.escaping import escaped
from trainshed.event_lines import print_events
from trainshed.exit_codes import BY_STATE
from trainshed.formatting import file_size
from trainshed.job_changes import read_changes
from trainshed.job_tables import (
    print_job,
    print_jobs,
    print_outcome,
    print_validation,
    print_warnings,
)
from trainshed.live_progress import show_progress

app = typer.Typer()


@app.command()
def submit(
    spec: Spec = None,
    *,
    preset: Preset = None,
    set_: Changes = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the job to its end.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="The job's name.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag key=value; repeat the option for more.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The job's seed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Submit a job and print its id."""
    added_tags = dict(_parse_tag(text) for text in tag or [])
    with connect() as client:
        body = read_spec(client, spec, preset, set_)
        if not isinstance(body, dict):
            raise WrongUsage(f"{spec} must hold a JSON object.")
        tags = body.get("tags", {})
        if added_tags and not isinstance(tags, dict):
            raise WrongUsage(f"`tags` of {spec} must be an object, so that --tag can add to it.")
        fields = {"name": name, "seed": seed}
        body |= {field: value for field, value in fields.items() if value is not None}
        if added_tags:
            body["tags"] = {**tags, **added_tags}
        job = client.submit(body)
        if not as_json:
            print_warnings(error_console, job["warnings"])
        if follow:
            follow_job(client, job["id"], as_json=as_json)
    print_json(job) if as_json else print_line(job["id"])


def _parse_tag(text: str) -> tuple[str, str]:
    key, equals_sign, value = text.partition("=")
    if not equals_sign:
        raise WrongUsage(f"The tag {text!r} must be key=value.")
    return key, value


def _tag_filter(text: str) -> str:
    """Return a tag as the API filters by it: key:value for key=value."""
    key, equals_sign, value = text.partition("=")
    return f"{key}:{value}" if equals_sign and ":" not in key else text


@app.command()
def validate(
    spec: Spec = None,
    *,
    preset: Preset = None,
    set_: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Check a specification without a job."""
    with connect() as client:
        validation = client.validate(read_spec(client, spec, preset, set_))
    print_json(validation) if as_json else print_validation(console, validation)


@app.command("list")
def list_jobs(
    *,
    kind: Annotated[
        str | None, typer.Option(help="verification: the jobs that check a patch.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="Only jobs in this state: queued, running, …")
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Only jobs with this tag: key, key=value or key:value.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only jobs on this data set.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of jobs.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    filters = {"kind": kind, "state": state, "tag": tag and _tag_filter(tag), "dataset": dataset}
    with connect() as client:
        jobs = list(client.jobs(limit=limit, **filters))
    print_json(jobs) if as_json else print_jobs(console, jobs)


@app.command("show")
def show_job(job: Job, *, as_json: AsJson = False) -> None:
    """Show a job: state, progress, hyperparameters, metrics and checkpoints."""
    with connect() as client:
        result = client.get(job)
    print_json(result) if as_json else print_job(console, result)


@app.command()
def follow(job: Job, *, as_json: AsJson = False) -> None:
    """Follow a job to its end.

    Shows its results afterwards; the exit code depends on its final state.
    """
    with connect() as client:
        follow_job(client, client.job_id(job), as_json=as_json)


def follow_job(client: Client, job_id: str, *, as_json: bool) -> None:
    """Follow a job to its end and exit with its code."""
    if as_json:
        for event in client.follow(job_id):
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        raise typer.Exit(BY_STATE[client.get(job_id)["state"]])
    print_line(job_id)
    try:
        job = show_progress(console, client, job_id)
    except KeyboardInterrupt:
        print_line(
            f"The job continues. Use `trainshed follow {job_id}` or `trainshed cancel {job_id}`."
        )
        raise
    print_outcome(console, job)
    raise typer.Exit(BY_STATE[job["state"]])


@app.command()
def events(job: Job, *, as_json: AsJson = False) -> None:
    """List what has happened to a job so far."""
    with connect() as client:
        rows = list(client.events(job))
    print_json(rows) if as_json else print_events(console, rows)


@app.command()
def logs(
    job: Job,
    *,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="The number of an attempt; default: the newest.")
    ] = None,
) -> None:
    """Print what a job's process wrote; usually nothing."""
    with connect() as client:
        sys.stdout.write(escaped(client.logs(job, attempt=attempt), keep="\n\t"))


@app.command()
def cancel(job: Job, *, as_json: AsJson = False) -> None:
    """Cancel a job."""
    with connect() as client:
        _print_state(client.cancel(job), as_json=as_json)


@app.command()
def pause(job: Job, *, as_json: AsJson = False) -> None:
    """Pause a job.

    A running job writes a checkpoint and frees its device. `trainshed resume` continues it.
    """
    with connect() as client:
        _print_state(client.pause(job), as_json=as_json)


@app.command()
def resume(job: Job, *, as_json: AsJson = False) -> None:
    """Resume a paused job where it stopped."""
    with connect() as client:
        _print_state(client.resume(job), as_json=as_json)


@app.command("set")
def set_fields(
    job: Job,
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="FIELD=VALUE...",
            help="priority=high, notes=TEXT, max_runtime_seconds=3600, allow_inexact=true, "
            "tags.KEY=VALUE. null removes a tag, or sets a field to its default.",
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Change a job's priority, tags, notes or time limit, or let it continue on any GPU.

    Of a job that has ended, tags and notes can be changed.
    """
    with connect() as client:
        result = client.update(job, read_changes(changes))
    print_json(result) if as_json else print_line(f"{result['id']} is changed")


@app.command()
def delete(job: Job, *, as_json: AsJson = False) -> None:
    """Delete a job that has ended, with its checkpoints and all other files."""
    with connect() as client:
        result = client.delete(job)
    print_json(result) if as_json else print_line(
        f"{result['id']} is deleted; {file_size(result['bytes_freed'])} are free again"
    )


def _print_state(job: dict[str, Any], *, as_json: bool) -> None:
    print_json(job) if as_json else print_line(f"{job['id']} is {job['phase'] or job['state']}")


@app.command()
def retry(job: Job, *, as_json: AsJson = False) -> None:
    """Submit a failed or cancelled job again.

    The new job resumes from the last checkpoint. Prints its id.
    """
    with connect() as client:
        result = client.retry(job)
    print_json(result) if as_json else print_line(result["id"])
