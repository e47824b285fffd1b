"""The tables of the database, one file per noun. Every change needs a migration."""

from shared.tables.analysis import analyses
from shared.tables.artifact import artifacts
from shared.tables.attempt import attempts, live
from shared.tables.audit import audit
from shared.tables.checkpoint import checkpoints, evaluations
from shared.tables.columns import BigInt, Measured, UtcTime, metadata
from shared.tables.dataset import datasets
from shared.tables.deletion import deletions
from shared.tables.event import events
from shared.tables.extreme import extremes
from shared.tables.finding import findings, watches
from shared.tables.job import idempotency, jobs, tags
from shared.tables.key import keys, sessions
from shared.tables.ledger import ledger
from shared.tables.metric import metrics
from shared.tables.mlflow_run import tracking
from shared.tables.observation import observations
from shared.tables.quarantine import quarantine
from shared.tables.sidecar_response import sidecar_responses
from shared.tables.upload import weights
from shared.tables.used_day import used_days
from shared.tables.user import users
from shared.tables.verification import verifications
from shared.tables.worker import leases, workers

__all__ = [
    "BigInt",
    "Measured",
    "UtcTime",
    "analyses",
    "artifacts",
    "attempts",
    "audit",
    "checkpoints",
    "datasets",
    "deletions",
    "evaluations",
    "events",
    "extremes",
    "findings",
    "idempotency",
    "jobs",
    "keys",
    "leases",
    "ledger",
    "live",
    "metadata",
    "metrics",
    "observations",
    "quarantine",
    "sessions",
    "sidecar_responses",
    "tags",
    "tracking",
    "used_days",
    "users",
    "verifications",
    "watches",
    "weights",
    "workers",
]
