"""`GET /metrics`: the text that Prometheus reads."""

from fastapi import APIRouter, Response, Security
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest

from api.deps import ServicesDep, right
from api.prometheus.predictions import predictions
from api.prometheus.present import gauges
from shared import tables
from shared.jobs import unreadable_rows

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    dependencies=[Security(right("box:read"))],
    summary="Get metrics for Prometheus",
    response_class=PlainTextResponse,
)
def get_prometheus_metrics(services: ServicesDep) -> Response:
    """Return waiting times, jobs, devices, failures by kind, storage and lasting requests.

    No metric names a person. Counters begin at 0 when the API starts. docs/operations.md explains
    them and has a dashboard and alert rules.
    """
    services.tallies.update()
    parts = (gauges(services), predictions(services), services.tallies.registry)
    texts = map(generate_latest, (*parts, _unreadable_rows()))
    return Response(b"".join(texts), media_type=CONTENT_TYPE_LATEST)


def _unreadable_rows() -> CollectorRegistry:
    registry = CollectorRegistry()
    rows = Counter(
        "trainshed_unreadable_rows",
        "Rows that this process could not read",
        ["table"],
        registry=registry,
    )
    counts = unreadable_rows.counts()
    for table in tables.metadata.tables:
        rows.labels(table).inc(counts.get(table, 0))
    return registry
