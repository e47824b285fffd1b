"""Commands for a job's results: test results, checkpoints and files."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trainshed.commands.common_options import (
    AsJson,
    Checkpoint,
    Job,
    Output,
    connect,
    console,
    print_json,
    print_line,
    transfer_progress,
)
from trainshed.errors import WrongUsage
from trainshed.result_tables import (
    print_artifacts,
    print_checkpoints,
    print_classes,
    print_confusion,
    print_mistakes,
    print_none,
    print_samples,
    print_top_k,
)

app = typer.Typer()

After = Annotated[int, typer.Option(min=0, help="Skip this many samples.")]
Sheet = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Write the pictures with captions to this PNG file."),
]


@app.command("top-k")
def top_k(
    job: Job,
    *,
    checkpoint: Checkpoint = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="The maximum number of samples and of mistakes.")
    ] = 10,
    after: After = 0,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Show accuracies, mistakes and predictions.

    Top-k accuracies, accuracy by class, the most confident mistakes, and test images. With --sheet,
    the pictures of the most confident mistakes.
    """
    with connect() as client:
        if sheet is not None:
            png = client.mistakes_sheet(job, checkpoint=checkpoint, limit=limit, after=after)
            _write_sheet(sheet, png, as_json=as_json)
            return
        result = client.top_k(job, checkpoint=checkpoint, limit=limit, after=after)
    if as_json:
        print_json(result)
        return
    print_top_k(console, result)
    print_classes(console, result)
    print_mistakes(console, result, limit)
    print_line("test images with their most probable classes:")
    print_samples(console, result)


@app.command()
def confusion(
    job: Job,
    *,
    checkpoint: Checkpoint = None,
    cell: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="TRUE PREDICTED",
            help="List the test images of a class that are predicted as a class; by their names "
            "or numbers.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="The maximum number of images of a cell.")
    ] = 20,
    after: After = 0,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Show the confusion matrix of the test images, or the images of one of its cells."""
    if cell is None and sheet is not None:
        raise WrongUsage("--sheet shows the images of a cell: name it with --cell TRUE PREDICTED.")
    with connect() as client:
        if cell is None:
            result = client.confusion(job, checkpoint=checkpoint)
            print_json(result) if as_json else print_confusion(console, result)
            return
        if sheet is not None:
            png = client.cell_sheet(job, *cell, checkpoint=checkpoint, limit=limit, after=after)
            _write_sheet(sheet, png, as_json=as_json)
            return
        result = client.cell(job, *cell, checkpoint=checkpoint, limit=limit, after=after)
    print_json(result) if as_json else print_samples(console, {"samples": result})


def _write_sheet(file: Path, png: bytes, *, as_json: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png)
    print_json({"path": str(file)}) if as_json else print_line(str(file))


@app.command()
def checkpoints(job: Job, *, as_json: AsJson = False) -> None:
    """List the stored checkpoints."""
    with connect() as client:
        rows = client.checkpoints(job)
        if not rows and not as_json:
            print_none(console, client.get(job), later="the first epoch adds them")
            return
    print_json(rows) if as_json else print_checkpoints(console, rows)


@app.command()
def download(
    job: Job,
    checkpoint: Annotated[
        str, typer.Argument(help="A checkpoint's id, last, or best_<monitor>.")
    ] = "last",
    output: Output = ".",
) -> None:
    """Download the weights of a checkpoint.

    The file is in the safetensors format; an interrupted download resumes.
    """
    with connect() as client, transfer_progress(checkpoint) as progress:
        path = client.download(job, checkpoint, output, progress=progress)
    print_line(str(path))


@app.command()
def export(
    job: Job,
    *,
    checkpoint: Annotated[
        str, typer.Option(help="A checkpoint's id, last, initial, or best_<monitor>.")
    ] = "last",
    output: Output = ".",
    as_json: AsJson = False,
) -> None:
    """Export a checkpoint to ONNX, with its normalization and class names.

    The service compares the file with the network on the same inputs before it sends it.
    """
    with connect() as client, transfer_progress(checkpoint) as progress:
        path, difference = client.export(job, checkpoint, output, progress=progress)
    if as_json:
        print_json({"path": str(path), "largest_difference": difference})
        return
    print_line(str(path))
    print_line(f"largest difference of its outputs from the network's: {difference:.2g}")


@app.command()
def artifacts(
    job: Job,
    name: Annotated[str | None, typer.Argument(help="Download this file.")] = None,
    output: Output = ".",
    *,
    as_json: AsJson = False,
) -> None:
    """List or download the files of the results.

    CSV files of each checkpoint: predictions, and the confusion matrix of a classification.
    """
    with connect() as client:
        if name is None:
            rows = client.artifacts(job)
            if not rows and not as_json:
                print_none(console, client.get(job), later="they are written at its end")
                return
            print_json(rows) if as_json else print_artifacts(console, rows)
            return
        with transfer_progress(name) as progress:
            path = client.download_artifact(job, name, output, progress=progress)
    print_json({"path": str(path)}) if as_json else print_line(str(path))


@app.command()
def tensorboard(
    job: Job,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The directory, shared by several jobs if you like; default: JOB-tensorboard.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Download the curves of a job for TensorBoard, also without `tracking.tensorboard`."""
    with connect() as client, transfer_progress("event files") as progress:
        log_directory = client.tensorboard(job, output, progress=progress)
        job_id = client.job_id(job)
    files = sorted(str(path) for path in log_directory.glob(f"*{job_id}/*/*"))
    if as_json:
        print_json({"directory": str(log_directory), "files": files})
        return
    print_line(f"{len(files)} event files in {log_directory}")
    print_line(f"to view them: tensorboard --logdir {shlex.quote(str(log_directory))}")
