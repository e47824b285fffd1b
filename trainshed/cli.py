"""The command line of Trainshed.

Exit codes: 0 well, 1 the job failed, 2 refused or wrong usage, 3 the job was cancelled, 4 not
found, 5 the service does not answer, is at fault, or does not know the key; 130 interrupted.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.progress import Progress

from trainshed import show
from trainshed.checkout import become_the_box
from trainshed.client import Client
from trainshed.exits import OF_STATE, guarded
from trainshed.live import live

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
console = show.make_console()

Job = Annotated[str, typer.Argument(help="a job's id")]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON, for programs")]
Spec = Annotated[str | None, typer.Argument(help="a file of JSON, or - for standard input")]
Preset = Annotated[str | None, typer.Option(help="instead of a file: `trainshed presets` has them")]


class Connection:
    """How to reach the service: set by the options before the command."""

    url: str | None = None


@app.callback()
def options(
    url: Annotated[str | None, typer.Option(help="the service's address")] = None,
) -> None:
    """Training jobs on the box that the team shares.

    Exit codes: 0 well, 1 the job failed, 2 refused or wrong usage, 3 the job was cancelled, 4 not
    found, 5 the service does not answer, is at fault, or does not know the key; 130 interrupted.
    """
    Connection.url = url


def _client() -> Client:
    return Client(Connection.url)


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _asked(client: Client, spec: str | None, preset: str | None) -> Any:
    """What is to be submitted: from a file, or a preset."""
    if (spec is None) == (preset is None):
        raise click.UsageError("name either a file with a specification or a --preset")
    return _read(spec) if spec is not None else client.preset(str(preset))["spec"]


def _read(spec: str) -> Any:
    try:
        text = sys.stdin.read() if spec == "-" else Path(spec).read_text()
        return json.loads(text)
    except OSError as error:
        raise click.UsageError(f"{spec} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise click.UsageError(f"{spec} is not JSON: {error}") from error


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
    """Submit a job."""
    with _client() as client:
        asked = _asked(client, spec, preset)
        if not isinstance(asked, dict):
            raise click.UsageError(f"{spec} has to hold a JSON object")
        given = {"name": name, "seed": seed}
        asked |= {field: value for field, value in given.items() if value is not None}
        if tag:
            own = dict(one.split("=", 1) for one in _tags(tag))
            asked["tags"] = {**asked.get("tags", {}), **own}
        job = client.submit(asked)
        if follow:
            _follow(client, job["id"], as_json=as_json)
    _print(job) if as_json else console.print(job["id"])


def _tags(given: list[str]) -> list[str]:
    for one in given:
        if "=" not in one:
            raise click.UsageError(f"a tag is key=value, and this is {one!r}")
    return given


@app.command()
def validate(spec: Spec = None, *, preset: Preset = None, as_json: AsJson = False) -> None:
    """Check a specification without submitting it."""
    with _client() as client:
        answer = client.validate(_asked(client, spec, preset))
    if as_json:
        _print(answer)
        return
    count, memory = answer["parameter_count"]["trainable"], answer["device_memory_mib"]
    console.print(f"valid: {count:,} trainable parameters, about {memory} MiB on the device")
    console.print(f"it would be number {answer['queue_position']} of those that wait")


@app.command("list")
def list_jobs(
    *,
    state: Annotated[str | None, typer.Option(help="queued, running …")] = None,
    tag: Annotated[str | None, typer.Option(help="key or key:value")] = None,
    dataset: Annotated[str | None, typer.Option(help="a data set's name")] = None,
    limit: Annotated[int, typer.Option(min=1, help="at most so many")] = 20,
    as_json: AsJson = False,
) -> None:
    """The jobs, newest first."""
    with _client() as client:
        found = list(client.jobs(limit=limit, state=state, tag=tag, dataset=dataset))
    _print(found) if as_json else show.jobs(console, found)


@app.command("show")
def show_job(job: Job, *, as_json: AsJson = False) -> None:
    """One job."""
    with _client() as client:
        found = client.get(job)
    _print(found) if as_json else show.job(console, found)


@app.command()
def follow(job: Job, *, as_json: AsJson = False) -> None:
    """Watch a job to its end, then show its results. Its end is the exit code."""
    with _client() as client:
        _follow(client, job, as_json=as_json)


def _follow(client: Client, job_id: str, *, as_json: bool) -> None:
    """Watch a job to its end and leave with its exit code."""
    if as_json:
        for event in client.follow(job_id):
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        raise typer.Exit(OF_STATE[client.get(job_id)["state"]])
    console.print(job_id)
    try:
        job = live(console, client, job_id)
    except KeyboardInterrupt:
        console.print(f"the job goes on: `trainshed follow {job_id}`, `trainshed cancel {job_id}`")
        raise
    show.failure(console, job)
    if job["state"] == "succeeded":
        show.tests(console, job)
    raise typer.Exit(OF_STATE[job["state"]])


@app.command()
def logs(job: Job, *, attempt: Annotated[int | None, typer.Option(min=1)] = None) -> None:
    """What the training printed."""
    with _client() as client:
        sys.stdout.write(client.logs(job, attempt=attempt))


@app.command()
def metrics(
    job: Job,
    *,
    name: Annotated[str | None, typer.Option(help="one metric")] = None,
    as_json: AsJson = False,
) -> None:
    """The job's metrics."""
    with _client() as client:
        series = client.metrics(job, name=name)
    _print(series) if as_json else show.metrics(console, series)


@app.command("top-k")
def top_k(
    job: Job,
    *,
    checkpoint: Annotated[str | None, typer.Option(help="an id, last, best_<monitor>")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="samples")] = 10,
    after: Annotated[int, typer.Option(min=0, help="samples passed over")] = 0,
    as_json: AsJson = False,
) -> None:
    """Top-k accuracies, and what a checkpoint says of test images."""
    with _client() as client:
        answer = client.top_k(job, checkpoint=checkpoint, limit=limit, after=after)
    if as_json:
        _print(answer)
        return
    show.results(console, answer)
    show.samples(console, answer)


@app.command()
def checkpoints(job: Job, *, as_json: AsJson = False) -> None:
    """The checkpoints that are kept."""
    with _client() as client:
        found = client.checkpoints(job)
    _print(found) if as_json else show.checkpoints(console, found)


@app.command()
def download(
    job: Job,
    checkpoint: Annotated[str, typer.Argument(help="an id, last, best_<monitor>")] = "last",
    output: Annotated[Path, typer.Option("--output", "-o", help="file or directory")] = Path(),
) -> None:
    """Fetch a checkpoint's weights as safetensors; goes on where it broke off."""
    with _client() as client, Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(checkpoint, total=None)
        path = client.download(
            job,
            checkpoint,
            output,
            progress=lambda have, size: bar.update(task, completed=have, total=size),
        )
    console.print(str(path))


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="safetensors")],
    *,
    name: Annotated[str | None, typer.Option(help="the file's own unless given")] = None,
    as_json: AsJson = False,
) -> None:
    """Upload weights to fine-tune from; prints their id."""
    with _client() as client, Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(file.name, total=None)
        found = client.upload_weights(
            file,
            name=name,
            progress=lambda sent, size: bar.update(task, completed=sent, total=size),
        )
    _print(found) if as_json else console.print(found["id"])


@app.command()
def weights(*, as_json: AsJson = False) -> None:
    """The weights that were uploaded."""
    with _client() as client:
        found = client.weights()
    _print(found) if as_json else show.weights(console, found)


@app.command()
def cancel(job: Job, *, as_json: AsJson = False) -> None:
    """End a job."""
    with _client() as client:
        found = client.cancel(job)
    _print(found) if as_json else console.print(f"{job} is {found['phase'] or found['state']}")


@app.command()
def retry(job: Job, *, as_json: AsJson = False) -> None:
    """Submit a failed or cancelled job anew, from its last checkpoint."""
    with _client() as client:
        found = client.retry(job)
    _print(found) if as_json else console.print(found["id"])


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="one of them")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Specifications to begin with, each a lesson; `submit --preset NAME` takes one."""
    with _client() as client:
        found = client.presets() if name is None else client.preset(name)
    if as_json:
        _print(found)
    elif isinstance(found, list):
        show.presets(console, found)
    else:
        show.preset(console, found)


@app.command()
def datasets(*, as_json: AsJson = False) -> None:
    """The data sets there are."""
    with _client() as client:
        found = client.datasets()
    _print(found) if as_json else show.datasets(console, found)


@app.command()
def up() -> None:
    """Run the box in the foreground (from a checkout)."""
    become_the_box()


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    return guarded(lambda: app(arguments, standalone_mode=False) or 0)
