"""What came of a job: metrics, what it makes of the test images, and its files."""

import shlex
from typing import Annotated

import typer

from trainshed import show_results
from trainshed.commands.common_options import (
    AsJson,
    Checkpoint,
    Job,
    Output,
    connect,
    console,
    print_json,
    say,
    transfer,
)
from trainshed.errors import not_found

app = typer.Typer()


@app.command()
def metrics(
    job: Job,
    *,
    name: Annotated[str | None, typer.Option(help="one metric")] = None,
    as_json: AsJson = False,
) -> None:
    """The job's metrics: first, last, lowest and highest value, and in which epoch."""
    with connect() as client:
        series = client.metrics(job, name=name)
        if name is not None and not series:
            known = dict.fromkeys(one["name"] for one in client.metrics(job, points=2))
            raise not_found(f"metric {name!r}", [*known])
    print_json(series) if as_json else show_results.metrics(console, series)


@app.command("top-k")
def top_k(
    job: Job,
    *,
    checkpoint: Checkpoint = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="samples, and mistakes")] = 10,
    after: Annotated[int, typer.Option(min=0, help="samples passed over")] = 0,
    as_json: AsJson = False,
) -> None:
    """Top-k accuracies, accuracy by class, the most confident mistakes, and test images."""
    with connect() as client:
        answer = client.top_k(job, checkpoint=checkpoint, limit=limit, after=after)
    if as_json:
        print_json(answer)
        return
    show_results.results(console, answer)
    show_results.classes(console, answer)
    show_results.mistakes(console, answer, limit)
    say("test images, the most probable classes first:")
    show_results.samples(console, answer)


@app.command()
def confusion(job: Job, *, checkpoint: Checkpoint = None, as_json: AsJson = False) -> None:
    """How often each class was taken for each other, on the test images."""
    with connect() as client:
        answer = client.confusion(job, checkpoint=checkpoint)
    print_json(answer) if as_json else show_results.confusion(console, answer)


@app.command()
def checkpoints(job: Job, *, as_json: AsJson = False) -> None:
    """The checkpoints that are kept; `download` fetches one."""
    with connect() as client:
        found = client.checkpoints(job)
    print_json(found) if as_json else show_results.checkpoints(console, found)


@app.command()
def download(
    job: Job,
    checkpoint: Annotated[str, typer.Argument(help="an id, last, best_<monitor>")] = "last",
    output: Output = ".",
) -> None:
    """Fetch a checkpoint's weights (safetensors), going on where it broke off."""
    with connect() as client, transfer(checkpoint) as progress:
        path = client.download(job, checkpoint, output, progress=progress)
    say(str(path))


@app.command()
def artifacts(
    job: Job,
    name: Annotated[str | None, typer.Argument(help="fetch this one")] = None,
    output: Output = ".",
    *,
    as_json: AsJson = False,
) -> None:
    """The files of results (predictions, confusion), or fetch one by its name."""
    with connect() as client:
        if name is None:
            found = client.artifacts(job)
            print_json(found) if as_json else show_results.artifacts(console, found)
            return
        with transfer(name) as progress:
            path = client.download_artifact(job, name, output, progress=progress)
    print_json({"path": str(path)}) if as_json else say(str(path))


@app.command()
def tensorboard(
    job: Job,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="a directory, for one job or several: JOB-tensorboard unless given",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch the event files and say how TensorBoard shows them."""
    with connect() as client, transfer("event files") as progress:
        around = client.tensorboard(job, output, progress=progress)
    files = sorted(str(path) for path in (around / job).iterdir())
    if as_json:
        print_json({"directory": str(around), "files": files})
        return
    say(f"{len(files)} event files in {around / job}")
    say(f"look at them: tensorboard --logdir {shlex.quote(str(around))}")
