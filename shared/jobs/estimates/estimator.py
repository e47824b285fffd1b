"""Predictions of jobs, from a bounded number of rows."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, TypeVar

import sqlalchemy as sa

from shared.database import Database
from shared.jobs import liveness
from shared.jobs.estimates import history
from shared.jobs.estimates.cost import Cost, cost_of
from shared.jobs.estimates.durations import (
    Duration,
    History,
    Observation,
    predict_duration,
    predict_epoch,
)
from shared.jobs.estimates.memory import MemoryNeed, predict_memory

#: How old what is known of a kind, and what is common to many, may be.
MAX_AGE_SECONDS, MAX_AGE_OF_COMMON = 2.0, 20.0
#: How many kinds and architectures are kept in memory.
MAX_KEPT = 1024

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a job is predicted to take; of a damaged specification nothing."""

    cost: Cost | None = None
    duration: Duration | None = None
    memory: MemoryNeed | None = None
    #: Of an epoch, measured in jobs of the same kind.
    epoch_seconds: float | None = None
    #: The memory of the network as the sidecar predicts it, if it was requested.
    network_mib: float | None = None

    def columns(self) -> dict[str, Any]:
        """Return the columns of a job that hold it.

        Of an unknown kind only the time limit is known, which the job does not exceed.
        """
        limit = inf if self.cost is None else self.cost.limit_seconds
        p50, p90 = (
            (None, limit) if self.duration is None else (self.duration.p50, self.duration.p90)
        )
        return {
            "cost_kind": None if self.cost is None else self.cost.kind,
            "seconds_p50": p50,
            "seconds_p90": p90 if isfinite(p90) else None,
            "estimate": self._json(),
        }

    def _json(self) -> dict[str, Any] | None:
        found: dict[str, Any] = {} if self.duration is None else self.duration.as_json()
        if self.memory is not None:
            found |= {"memory_mib": round(self.memory.mib, 1), "memory_basis": self.memory.basis}
        if self.network_mib is not None:
            found["network_mib"] = self.network_mib
        return found or None


def predict(
    connection: sa.Connection,
    spec: Any,
    *,
    epoch_limit: int | None = None,
    epochs_before: int = 0,
    network_mib: float | None = None,
) -> Prediction:
    """Return what a job is predicted to take, from what the database holds now.

    Args:
        connection: for reading.
        spec: with its defaults.
        epoch_limit: the epoch after which the training ends early.
        epochs_before: the epochs that are in the checkpoint from which the job starts.
        network_mib: the memory of the network as the sidecar predicts it, if known.
    """
    cost = cost_of(spec, epoch_limit=epoch_limit, epochs_before=epochs_before)
    if cost is None:
        return Prediction(network_mib=network_mib)
    cold, z90, models = _read_common(connection)
    seen = history.read_seen(connection, cost.kind)
    architecture = history.read_architecture(connection, cost.family)
    return _predict(cost, History(seen, architecture, cold, z90, models), network_mib)


def _predict(cost: Cost, known: History, network_mib: float | None) -> Prediction:
    memory = predict_memory(
        seen=_here(known.seen, known.models),
        architecture=_here(known.architecture, known.models),
        network_mib=network_mib,
    )
    duration, epoch = predict_duration(cost, known), predict_epoch(cost, known)
    return Prediction(cost, duration, memory, epoch, network_mib)


def _here(rows: Any, models: frozenset[str]) -> list[Observation]:
    """Return the observations of devices that the box has; all if there are none of them."""
    return [row for row in rows if row.device_model in models] or list(rows)


Common = tuple[list[Observation], dict[str, float], frozenset[str]]


def _read_common(connection: sa.Connection) -> Common:
    models = frozenset(
        device["model"]
        for worker in liveness.list_workers(connection)
        for device in worker.devices
        if isinstance(device.get("model"), str)
    )
    return history.read_cold(connection), history.read_z90(connection), models


class Estimator:
    """Predicts jobs like `predict`, and keeps in memory what was read a moment ago."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[str, str], tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def predict(
        self,
        spec: Any,
        *,
        epoch_limit: int | None = None,
        epochs_before: int = 0,
        network_mib: float | None = None,
    ) -> Prediction:
        """Return what a job is predicted to take; arguments as for the function `predict`."""
        cost = cost_of(spec, epoch_limit=epoch_limit, epochs_before=epochs_before)
        if cost is None:
            return Prediction(network_mib=network_mib)
        kind, family = cost.kind, cost.family
        cold, z90, models = self._keep("common", "", MAX_AGE_OF_COMMON, _read_common)
        seen = self._keep("kind", kind, MAX_AGE_SECONDS, lambda c: history.read_seen(c, kind))
        architecture = self._keep(
            "family", family, MAX_AGE_OF_COMMON, lambda c: history.read_architecture(c, family)
        )
        return _predict(cost, History(seen, architecture, cold, z90, models), network_mib)

    def _keep(
        self, what: str, name: str, max_age: float, read: Callable[[sa.Connection], Value]
    ) -> Value:
        at, key = time.monotonic(), (what, name)
        with self._lock:
            found = self._kept.get(key)
        if found is not None and at - found[0] < max_age:
            return found[1]
        with self._database.read() as connection:
            value = read(connection)
        with self._lock:
            self._kept[key] = (at, value)
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return value
