"""The command that predicts new samples with a job's network."""

from pathlib import Path
from typing import Annotated

import typer

from trainshed.commands.common_options import (
    AsJson,
    Checkpoint,
    Job,
    connect,
    console,
    print_json,
)
from trainshed.result_tables import print_predictions

app = typer.Typer()


@app.command()
def predict(
    job: Job,
    files: Annotated[
        list[Path],
        typer.Argument(help="Pictures and folders of pictures; for a table, one CSV file."),
    ],
    *,
    checkpoint: Checkpoint = None,
    as_json: AsJson = False,
) -> None:
    """Predict new pictures, or the rows of a CSV file.

    Pictures are prepared as in training. Predictions do not wait for trainings.
    """
    with connect() as client:
        predictions = client.predict(job, files, checkpoint=checkpoint)
    print_json(predictions) if as_json else print_predictions(console, predictions)
