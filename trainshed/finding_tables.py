"""Findings for people: what is wrong, the evidence, what follows from it, and what to try."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from trainshed.escaping import escaped
from trainshed.event_stream import FINAL_STATES
from trainshed.formatting import number

Json = dict[str, Any]
COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
#: The points of a series that are shown.
MAX_POINTS = 6


def print_findings(console: Console, job: Json, findings: list[Json], *, in_full: bool) -> None:
    """Print the findings of a job as trees: below each root what it explains.

    Args:
        console: where to print.
        job: the job.
        findings: its findings, roots first.
        in_full: whether to explain each rule.
    """
    job, findings = escaped(job), escaped(findings)
    if not findings:
        is_over = job["state"] in FINAL_STATES
        console.print("no findings" if is_over else "no findings so far")
        return
    ids = {finding["id"] for finding in findings}
    for finding in findings:
        if finding["because_of"] not in ids:
            tree = Tree(_title(finding), guide_style="dim")
            for line in _lines(finding):
                tree.add(line)
            _add_consequences(tree, finding, findings)
            console.print(tree, soft_wrap=True)
            if in_full:  # not in the tree, which cuts long lines
                console.print(Text(finding["explanation"]), soft_wrap=True)
            for line in _commands(job["id"], finding):
                console.print(Text(line), soft_wrap=True)
            console.print()
    if not in_full:
        console.print("with explanations: --explain; a demonstration: trainshed lesson RULE")


def _title(finding: Json) -> Text:
    state = "" if finding["state"] == "open" else ", resolved"
    head = Text(f"{finding['severity']}{state} ", style=COLOURS[finding["severity"]])
    return head.append(f"{finding['rule']}: {finding['sentence']}", style="default")


def _lines(finding: Json) -> Iterator[Text]:
    evidence = finding["evidence"]
    bound = "at most" if evidence["direction"] == "above" else "at least"
    where = f" at step {finding['first_step']}"
    if finding["last_step"] != finding["first_step"]:
        where = f" at steps {finding['first_step']} to {finding['last_step']}"
    samples = f", {evidence['samples']} samples" if evidence["samples"] else ""
    text = f"{evidence['statistic']} {number(evidence['value'])}"
    yield Text(f"{text}, should be {bound} {number(evidence['threshold'])}{where}{samples}")
    if finding["layers"]:
        values = evidence.get("layers", {})
        layers = (f"{name} {number(values[name])}" for name in finding["layers"] if name in values)
        yield Text(f"layers: {', '.join(layers) or ', '.join(finding['layers'])}")
    series = evidence["series"][-MAX_POINTS:]
    if len(series) > 1:
        yield Text("by step: " + ", ".join(f"{step}: {number(value)}" for step, value in series))
    if finding["next"]:
        yield Text(f"{finding['next']}.")


def _add_consequences(tree: Tree, finding: Json, findings: list[Json]) -> None:
    for other in findings:
        if other["because_of"] == finding["id"]:
            branch = tree.add(Text("so ").append(_title(other)))
            _add_consequences(branch, other, findings)


def _commands(job_id: str, finding: Json) -> Iterator[str]:
    """Yield the command that tries each patch."""
    for index, patch in enumerate(finding["patches"]):
        option = f" --patch {patch['id']}" if index else ""
        yield f"try {patch['expects']}{_verdict(patch['check'])}:"
        yield f"    trainshed fork {job_id} --finding {finding['id']}{option}"
        if patch["check"]["state"] == "none":
            yield f"    or check it first: trainshed verify {finding['id']}{option}"


def _verdict(check: Json) -> str:
    """Return the state of a check in brackets; nothing without a check."""
    if check["state"] == "none":
        return ""
    gain = check["gain"]
    by = "" if gain is None else f", loss {abs(gain):.0%} {'lower' if gain >= 0 else 'higher'}"
    return f" ({check['state']}{by})"


def print_check(console: Console, patch: Json) -> None:
    """Print what the check of a patch shows so far."""
    patch = escaped(patch)
    check = patch["check"]
    console.print(Text(f"{patch['expects']}{_verdict(check)}"), soft_wrap=True)
    if check.get("detail"):
        console.print(Text(check["detail"]), soft_wrap=True)
    elif check["job"]:
        console.print(f"progress: trainshed follow {check['job']}", soft_wrap=True)


def print_headline(console: Console, job: Json) -> None:
    """Print the most important finding of a job; nothing where all is well."""
    headline = escaped(job).get("headline")
    if headline:
        console.print(Text(headline, style="yellow"), soft_wrap=True)
        console.print(f"evidence: trainshed findings {job['id']}", soft_wrap=True)
