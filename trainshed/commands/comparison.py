"""Commands for several jobs: compare them, and list the best on a data set."""

from typing import Annotated, Any

import typer

from trainshed.client import Client
from trainshed.commands.common_options import AsJson, Jobs, connect, console, print_json
from trainshed.comparison_tables import (
    CURVE_POINTS,
    print_curves,
    print_jobs_side_by_side,
    print_leaderboard,
    print_left_out,
)
from trainshed.errors import WrongUsage

Json = dict[str, Any]
#: What is drawn if the caller names no metric: the first that a job has.
DEFAULT_CURVES = ("val_accuracy", "val_loss", "train_loss")

app = typer.Typer()


@app.command()
def compare(
    jobs: Jobs = None,
    *,
    metric: Annotated[
        str | None, typer.Option(help="The curve to draw; default: val_accuracy or val_loss.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare 2 to 10 jobs: what they differ in, their best values, and a curve of each."""
    names = jobs or []
    if len(names) < 2:
        raise WrongUsage("Name 2 to 10 jobs; `trainshed list` shows them.")
    with connect() as client:
        comparison = client.compare(*names)
        if as_json:
            print_json(comparison)
            return
        print_jobs_side_by_side(console, comparison)
        recorded = [found["name"] for found in comparison["metrics"]]
        if metric is not None and metric not in recorded:
            raise WrongUsage(
                f"No job has {metric!r}. Recorded: {', '.join(recorded) or 'nothing'}."
            )
        drawn = metric or next((name for name in DEFAULT_CURVES if name in recorded), None)
        if drawn is not None:
            curves = [(job, _points(client, job["id"], drawn)) for job in comparison["jobs"]]
            print_curves(console, drawn, curves)


def _points(client: Client, job_id: str, name: str) -> list[Json]:
    """Return the points of a metric over all stages."""
    series = client.metrics(job_id, name=name, points=CURVE_POINTS)
    return [point for of_stage in series for point in of_stage["points"]]


@app.command()
def leaderboard(
    dataset: Annotated[str, typer.Argument(help="A data set: name, or name@version.")],
    *,
    metric: Annotated[
        str | None, typer.Option(help="The metric that ranks; default: val_accuracy or val_loss.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="The maximum number of jobs.")] = 10,
    left_out: Annotated[
        bool, typer.Option("--left-out", help="List the jobs without a rank instead, and why.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the best jobs on a data set, with what they differ in.

    Test values are shown next to the validation values that rank.
    """
    with connect() as client:
        if left_out:
            found = client.left_out(dataset, metric=metric, limit=limit)
            print_json(found) if as_json else print_left_out(console, found)
            return
        found = client.leaderboard(dataset, metric=metric, limit=limit)
    print_json(found) if as_json else print_leaderboard(console, found)
