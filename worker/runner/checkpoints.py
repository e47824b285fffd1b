"""Which checkpoints a job keeps: writes them to disk and says so in the database.

One directory serves every role that a step has (last, best of a metric, one of a series).
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from shared.clock import now
from shared.database import Database
from shared.errors import NotFound
from shared.ids import new_id
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch, NewCheckpoint
from shared.jobs.rows import CheckpointRow
from shared.json_numbers import json_number
from shared.storage import WEIGHTS, Storage
from worker.runner.snapshot_budget import SnapshotBudget
from worker.runner.writer import Writer, read_with_retry
from worker.training import checkpoint
from worker.training.checkpoint import CheckpointCorrupt
from worker.training.experiment import Experiment
from worker.training.state import TrainingState


class CheckpointWriter:
    """Writes checkpoints on the scribe's thread, in order with everything else."""

    def __init__(self, scribe: Writer, experiment: Experiment) -> None:
        self.scribe = scribe
        self.experiment = experiment
        #: Of each monitor: value, epoch, step and checkpoint of the best so far.
        self.best: dict[str, dict[str, Any]] = {}
        self._room = SnapshotBudget()
        scribe.put(_compute_alone)
        self._modes = {best.monitor: best.mode for best in experiment.checkpoints.best}

    @property
    def has_room(self) -> bool:
        """Whether a checkpoint would be taken without waiting."""
        return self._room.is_open

    def keep(self, state: TrainingState, stage: str, keys: Iterable[str], suffix: str = "") -> None:
        """Have a checkpoint written: `last`, and in the further roles named by `keys`."""
        size = size_of(state)
        self._room.enter(size, look=self.scribe.check)
        self.scribe.put(lambda: self._write(state, stage, tuple(keys), suffix, size))

    def remember(self, rows: Iterable[NewCheckpoint | CheckpointRow]) -> None:
        """Take over what was best before this attempt."""
        for row in rows:
            if row.kind == "best" and row.monitor is not None:
                self.best[row.monitor] = {
                    "value": json_number(row.value),
                    "epoch": row.epoch,
                    "step": row.step,
                    "checkpoint": row.id,
                }

    def _write(
        self, state: TrainingState, stage: str, keys: tuple[str, ...], suffix: str, size: int
    ) -> Batch:
        try:
            lease, storage = self.scribe.lease, self.scribe.storage
            name = f"step-{state.step}{suffix}"
            directory = storage.attempt(lease.job_id, lease.attempt) / name
            if directory.exists():
                return self._batch(state, stage, keys, directory, _manifest(directory))
            described = checkpoint.metadata(self.experiment)
            files = checkpoint.save(state, directory, metadata=described)
            return self._batch(state, stage, keys, directory, files)
        finally:
            self._room.leave(size)

    def _batch(
        self,
        state: TrainingState,
        stage: str,
        keys: tuple[str, ...],
        directory: Path,
        files: dict[str, dict[str, Any]],
    ) -> Batch:
        batch = Batch()
        for kind, monitor in _roles(keys):
            value = state.best.get(monitor) if monitor else None
            row = NewCheckpoint(
                id=new_id("ckpt"),
                kind=kind,
                monitor=monitor,
                mode=self._modes.get(monitor) if monitor else None,
                value=value,
                stage=stage,
                epoch=state.epoch,
                step=state.step,
                directory=self.scribe.storage.relative(directory),
                bytes=files[WEIGHTS]["bytes"],
                sha256=files[WEIGHTS]["sha256"],
                created_at=now(),
            )
            batch.checkpoints.append(row)
            told = {"id": row.id, "kind": kind, "monitor": monitor, "value": json_number(value)}
            told |= {"stage": stage, "epoch": state.epoch, "step": state.step}
            batch.events.append(NewEvent("checkpoint", told, state.step))
            if monitor:
                place = {"epoch": state.epoch, "step": state.step, "checkpoint": row.id}
                self.best[monitor] = {"value": json_number(value), **place}
                batch.best = dict(self.best)
        return batch


def _roles(keys: Iterable[str]) -> Iterable[tuple[str, str | None]]:
    """The kinds of checkpoint that a step is, each once, with the metric that one is the best of.

    Several rules may keep an epoch in the series.
    """
    roles: dict[tuple[str, str | None], None] = {("last", None): None}
    for key in keys:
        role, _, of = key.partition(":")
        kind = {"every": "series"}.get(role, role)
        roles[kind, of if kind == "best" else None] = None
    return roles


def _compute_alone() -> None:
    """No helpers for what this thread computes: OpenMP would count them with the training's own.

    With more threads than cores it no longer lets any of them wait actively, and each step of a
    training on the CPU takes a fifth longer.
    """
    torch.set_num_threads(1)


def size_of(state: TrainingState) -> int:
    """Bytes that a snapshot takes in memory, its tensors alone."""
    groups = [state.model, state.best_weights or {}, *state.optimizer.values()]
    return sum(tensor.nbytes for group in groups for tensor in group.values())


def _manifest(directory: Path) -> dict[str, dict[str, Any]]:
    return json.loads((directory / checkpoint.MANIFEST).read_text())["files"]


def newest(
    database: Database, storage: Storage, lease: Lease, tell: Callable[[str], None]
) -> TrainingState | None:
    """The state of the newest checkpoint that can be read, or None to start anew."""
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, lease.job_id))
    resumable = [row for row in rows if row.kind in {"last", "previous"}]
    for row in sorted(resumable, key=lambda row: (row.kind == "last", row.step), reverse=True):
        state = _read(storage, row, tell)
        if state is not None:
            return state
    return None


def from_another(
    database: Database,
    storage: Storage,
    lease: Lease,
    checkpoint_id: str,
    tell: Callable[[str], None],
) -> tuple[TrainingState | None, Batch]:
    """The state that a retry goes on from, and what it takes over from the earlier job.

    That is its checkpoints and its newest metrics. Files are shared by hard links, so that either
    job may go without the other.
    """
    origin = read_with_retry(database, lambda c: queries.get_checkpoint(c, checkpoint_id))
    job_id = "" if origin is None else origin.job_id
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, job_id))
    state = None if origin is None else _read(storage, origin, tell)
    job = read_with_retry(database, lambda c: queries.get_job(c, job_id))
    if state is None or job is None:
        tell("the earlier job's checkpoint is not there any more: started anew")
        return None, Batch()
    batch, directories = Batch(latest=dict(job.metrics)), dict[str, Path]()
    for row in rows:
        if row.kind == "previous" or row.step > state.step:
            continue
        # A step may have two: the weights that it ended with, and the best put back.
        name = f"from-{row.step}-{len(directories) + 1}"
        own_directory = storage.attempt(lease.job_id, lease.attempt) / name
        directory = directories.setdefault(row.directory, own_directory)
        _link(storage.root / row.directory, directory)
        kept = ("kind", "monitor", "mode", "value", "stage", "epoch", "step", "bytes", "sha256")
        own = {field: getattr(row, field) for field in kept}
        own |= {"id": new_id("ckpt"), "directory": storage.relative(directory)}
        batch.checkpoints.append(NewCheckpoint(**own, created_at=now()))
    return state, batch


def sweep(database: Database, storage: Storage, lease: Lease) -> None:
    """Delete the checkpoints of earlier attempts that no row refers to.

    They were being written when their runner was killed, or lie past the step from which this
    attempt goes on.
    """
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, lease.job_id))
    used = {row.directory for row in rows}
    for earlier in range(1, lease.attempt):
        for path in storage.attempt(lease.job_id, earlier).glob("*/"):
            if storage.relative(path) not in used:
                shutil.rmtree(path, ignore_errors=True)


def _read(
    storage: Storage, row: CheckpointRow, tell: Callable[[str], None]
) -> TrainingState | None:
    try:
        return checkpoint.load(storage.path(row.directory))
    except (CheckpointCorrupt, NotFound) as error:
        tell(f"a checkpoint of step {row.step} was passed over: {error}")
        return None


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    temporary = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for path in source.iterdir():
        os.link(path, temporary / path.name)
    temporary.rename(target)
