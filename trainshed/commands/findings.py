"""Commands for what was found in a training, and for trying a change."""

import time
from typing import Annotated, Any

import typer

from trainshed.client import Client
from trainshed.commands.common_options import (
    AsJson,
    Changes,
    Job,
    connect,
    console,
    error_console,
    print_json,
    print_line,
)
from trainshed.commands.jobs import follow_job
from trainshed.errors import WrongUsage, no_such
from trainshed.finding_tables import print_check, print_findings
from trainshed.job_tables import print_warnings
from trainshed.spec_changes import with_changes

app = typer.Typer()
Json = dict[str, Any]
UNDECIDED = ("queued", "running")
POLL_SECONDS = 1.0


@app.command()
def findings(
    job: Job,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Explain each rule.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was found in a training: the evidence, what follows, and what to try."""
    with connect() as client:
        rows = client.findings(job)
        if as_json:
            print_json(rows)
            return
        print_findings(console, client.get(job), rows, in_full=explain)


@app.command()
def verify(
    finding: Annotated[str, typer.Argument(help="The id of a finding: fnd_…")],
    *,
    patch: Annotated[
        str | None, typer.Option(help="The id of a patch of the finding; default: the first.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the verdict.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check by training whether a patch cures a finding.

    The job trains again with the patch, next to the job with another seed, for at most as long as
    it took to make the finding or an eighth of its epochs.
    """
    with connect() as client:
        found = client.verify(finding, patch)
        checked = _patch(found, patch)
        while follow and checked["check"]["state"] in UNDECIDED:
            time.sleep(POLL_SECONDS)
            checked = _patch(client.finding(finding), patch)
    print_json(checked) if as_json else print_check(console, checked)


def _patch(finding: Json, patch: str | None) -> Json:
    return next(each for each in finding["patches"] if patch in (None, each["id"]))


@app.command()
def fork(
    job: Job,
    *,
    finding: Annotated[
        str | None,
        typer.Option(
            help="Apply a patch of this finding, by default its first patch. An id, or the name of "
            "a rule that has a single finding in the job."
        ),
    ] = None,
    patch: Annotated[
        str | None, typer.Option(help="The id of another patch of the finding.")
    ] = None,
    set_: Changes = None,
    from_checkpoint: Annotated[
        str | None,
        typer.Option(help="Continue from this checkpoint: an id, last, or best_<monitor>."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the new job to its end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a job's specification with changes, and print the new job's id."""
    if finding is None and not set_ and from_checkpoint is None:
        raise WrongUsage("Name a --finding, change a field with --set, or name --from-checkpoint.")
    if patch is not None and finding is None:
        raise WrongUsage("A --patch belongs to a --finding; name both.")
    with connect() as client:
        job_id = client.job_id(job)
        finding = _finding_id(client, job_id, finding)
        changes: Any = patch
        if finding is None or set_:
            rows = client.findings(job_id) if finding is not None else []
            changes = _operations(rows, finding, patch)
            changes += _as_operations(client.get(job_id)["spec"], set_ or [])
        new = client.fork(
            job_id,
            patch=changes,
            finding=None if isinstance(changes, list) else finding,
            from_checkpoint=from_checkpoint,
        )
        if not as_json:
            print_warnings(error_console, new["warnings"])
        if follow:
            follow_job(client, new["id"], as_json=as_json)
    print_json(new) if as_json else print_line(new["id"])


def _finding_id(client: Client, job_id: str, name: str | None) -> str | None:
    """Return the id of a finding that is named by its id or by its rule."""
    if name is None or name.startswith("fnd_"):
        return name
    rows = client.findings(job_id)
    found = [row["id"] for row in rows if row["rule"] == name]
    if len(found) > 1:
        ids = ", ".join(found)
        raise WrongUsage(f"The job has several findings of the rule {name}: {ids}. Name an id.")
    if not found:
        raise no_such("finding", name, list(dict.fromkeys(row["rule"] for row in rows)))
    return found[0]


def _operations(rows: list[Json], finding: str | None, patch: str | None) -> list[Json]:
    """Return the operations of a patch of a finding; none without a finding."""
    if finding is None:
        return []
    row = next((row for row in rows if row["id"] == finding), None)
    if row is None:
        raise no_such("finding", finding, [row["id"] for row in rows])
    for candidate in row["patches"]:
        if patch in (None, candidate["id"]):
            return [*candidate["operations"]]
    raise no_such("patch", str(patch), [candidate["id"] for candidate in row["patches"]])


def _as_operations(spec: Json, changes: list[str]) -> list[Json]:
    """Return the operations that make the changes of --set."""
    changed = with_changes(spec, changes)
    if not isinstance(changed, dict):
        raise WrongUsage("--set must change a field of the specification.")
    return [
        {"op": "add", "path": "/" + name.replace("~", "~0").replace("/", "~1"), "value": value}
        for name, value in changed.items()
        if name not in spec or spec[name] != value
    ]
