"""A command that shows what a rule of the diagnostics finds: fault, patch and healthy twin."""

from typing import Annotated, Any

import typer

from trainshed.client import Client
from trainshed.commands.common_options import AsJson, connect, console, print_json, print_line
from trainshed.finding_tables import print_findings
from trainshed.formatting import metric_value
from trainshed.preset_tables import print_presets

app = typer.Typer()
Json = dict[str, Any]
#: What a line shows of a job, as far as it has it.
METRICS = ("val_loss", "val_accuracy", "test_accuracy")


@app.command()
def lesson(
    rule: Annotated[
        str | None, typer.Argument(help="A rule of the diagnostics; without one, all are listed.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Train a faulty network, its repaired fork and its healthy twin, and explain."""
    with connect() as client:
        if rule is None:
            lessons = client.lessons()
            print_json(lessons) if as_json else print_presets(console, lessons)
            return
        found = client.preset(rule)
        jobs, findings = _run(client, found, is_quiet=as_json)
        if as_json:
            print_json({"lesson": found, "jobs": jobs, "findings": findings})
            return
        print_findings(console, jobs["faulty"], findings, in_full=True)
        for label, job in jobs.items():
            values = (
                f"{m} {metric_value(m, job['metrics'][m])}" for m in METRICS if m in job["metrics"]
            )
            print_line(f"{label:<9} {job['id']}  {job['state']}  {', '.join(values)}")
        print_line(f"Afterwards: {found['look_at']}")


def _run(client: Client, found: Json, *, is_quiet: bool) -> tuple[Json, list[Json]]:
    """Train the specifications of a lesson in turn; return the jobs and the findings."""

    def finish(label: str, job: Json) -> Json:
        if not is_quiet:
            print_line(f"{label}: {job['id']}")
        return client.wait(job["id"])

    if not is_quiet:
        print_line(f"{found['title']}\n\n{found['teaches']}\n")
    jobs = {"faulty": finish("faulty", client.submit(found["spec"]))}
    findings = client.findings(jobs["faulty"]["id"])
    root = next((row for row in findings if row["patches"]), None)
    if root is not None:
        fork = client.fork(jobs["faulty"]["id"], finding=root["id"])
        jobs["repaired"] = finish(f"with {root['patches'][0]['expects']}", fork)
    if found.get("twin"):
        jobs["twin"] = finish("healthy twin", client.submit(found["twin"]))
    return jobs, findings
