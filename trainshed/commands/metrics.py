"""The command for metrics: of one job, of several side by side, and what each metric is."""

from typing import Annotated, Any

import typer

from trainshed.client import Client
from trainshed.commands.common_options import AsJson, Jobs, connect, console, print_json
from trainshed.errors import WrongUsage, no_such, not_found
from trainshed.metric_tables import (
    declaration_of,
    print_comparison,
    print_explanations,
    print_metrics,
)
from trainshed.result_tables import print_none

Json = dict[str, Any]

app = typer.Typer()


@app.command()
def metrics(
    jobs: Jobs = None,
    *,
    name: Annotated[str | None, typer.Option(help="Show only this metric.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each metric is; without a job, of all.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Summarize the metrics of a job, or compare several jobs.

    Of one job: the first, last, lowest and highest value of each metric, with their epochs. Of
    several: the best value of each side by side.
    """
    names = jobs or []
    if not names and not explain:
        raise WrongUsage("Name a job, or use --explain for what each metric is.")
    with connect() as client:
        if explain:
            explanations = _explanations(client, names, name)
            print_json(explanations) if as_json else print_explanations(console, explanations)
        elif len(names) == 1:
            _print_one(client, names[0], name, as_json=as_json)
        else:
            _print_several(client, names, name, as_json=as_json)


def _print_one(client: Client, job: str, name: str | None, *, as_json: bool) -> None:
    series = _series(client, job, name, must_exist=as_json)
    if not series and not as_json:
        print_none(console, client.get(job), later="the first epoch adds them")
        return
    print_json(series) if as_json else print_metrics(console, series)


def _print_several(client: Client, names: list[str], name: str | None, *, as_json: bool) -> None:
    jobs = [client.get(job) for job in names]
    all_series = [_series(client, job["id"], name) for job in jobs]
    if as_json:
        print_json({job["id"]: series for job, series in zip(jobs, all_series, strict=True)})
    else:
        print_comparison(console, jobs, all_series, client.catalog()["metrics"])


def _series(client: Client, job: str, name: str | None, *, must_exist: bool = False) -> list[Json]:
    """Return the series of a job.

    Raises:
        ApiError: the job has metrics, or must have them, but none of this name.
    """
    series = client.metrics(job, name=name)
    if name is not None and not series:
        available = dict.fromkeys(row["name"] for row in client.metrics(job, points=2))
        if available or must_exist:
            raise not_found(f"metric {name!r}", [*available])
    return series


def _explanations(client: Client, jobs: list[str], name: str | None) -> Json:
    """Return what the catalogue declares: of one metric, of the metrics of jobs, or of all."""
    declared = client.catalog()["metrics"]
    if name is not None:
        declaration = declaration_of(declared, name)
        if not declaration:
            raise no_such("metric", name, [*declared])
        return {name: declaration}
    if not jobs:
        return declared
    recorded = [row["name"] for job in jobs for row in client.metrics(job, points=2)]
    return {known: declaration_of(declared, known) for known in dict.fromkeys(recorded)}
