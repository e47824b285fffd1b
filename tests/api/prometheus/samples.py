"""The samples of a scrape, and the metrics that the files for operators use."""

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.api.service import Service

DIRECTORY = Path(__file__).parents[3] / "docs" / "operations"
NAME = re.compile(r"\btrainshed_[a-z0-9_]+\b")


def scrape(service: Service) -> dict[tuple[str, ...], float]:
    """Return the samples by the name and the values of the labels, in the order of their names."""
    text = service.client.get("/metrics").raise_for_status().text
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def expressions() -> dict[str, list[str]]:
    """Return the expressions of the alert rules and of the dashboard, by the file."""
    dashboard = json.loads((DIRECTORY / "grafana.json").read_text())
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = (DIRECTORY / "alerts.yml").read_text()
    return {"alerts.yml": [rules], "grafana.json": targets}
