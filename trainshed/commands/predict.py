"""The command that predicts new samples, or a data set, with a job's network."""

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
    count_progress,
    print_json,
    print_line,
)
from trainshed.errors import WrongUsage
from trainshed.result_tables import print_predictions

app = typer.Typer()


@app.command()
def predict(
    job: Job,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Pictures and folders of pictures; for a table, one CSV file."),
    ] = None,
    *,
    dataset: Annotated[
        str | None,
        typer.Option(help="Instead of files: a data set, whose predictions become a CSV file."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Of the data set: train, validation, test or all; default: test of the job's own "
            "data set, all of another."
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    output: Output = ".",
    as_json: AsJson = False,
) -> None:
    """Predict new pictures, the rows of a CSV file, or a data set of the service.

    Pictures are prepared as in training. Predictions do not wait for trainings. The CSV file of a
    data set is an artifact of the job as well; a command that is interrupted continues when it is
    called again.
    """
    if bool(files) == (dataset is not None):
        raise WrongUsage("Name either files or a --dataset.")
    if split is not None and dataset is None:
        raise WrongUsage("--split is of a --dataset.")
    with connect() as client:
        if dataset is None:
            predictions = client.predict(job, files or [], checkpoint=checkpoint)
            print_json(predictions) if as_json else print_predictions(console, predictions)
            return
        with count_progress(dataset) as progress:
            artifact = client.predict_dataset(
                job, dataset, split=split, checkpoint=checkpoint, progress=progress
            )
        path = client.download_artifact(job, artifact["id"], output)
    print_json({"path": str(path), "artifact": artifact}) if as_json else print_line(str(path))
