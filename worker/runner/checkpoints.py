"""Writes the checkpoints of an attempt to disk and records them in the database.

A step has one directory, whatever its roles are: last, best of a metric, part of a series.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from shared.clock import now
from shared.ids import new_id
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch, NewCheckpoint
from shared.jobs.rows import CheckpointRow
from shared.json_numbers import json_number
from shared.storage import WEIGHTS
from worker.runner.snapshot_budget import SnapshotBudget
from worker.runner.writer import AttemptWriter
from worker.training import checkpoint
from worker.training.checkpoint import Manifest
from worker.training.experiment import Experiment
from worker.training.state import TrainingState


class CheckpointWriter:
    """Writes checkpoints on the thread of the attempt's writer, in order with all other records."""

    def __init__(self, writer: AttemptWriter, experiment: Experiment) -> None:
        self.writer = writer
        self.experiment = experiment
        #: The best so far by monitor: value, epoch, step and the checkpoint's id.
        self.best: dict[str, dict[str, Any]] = {}
        self._budget = SnapshotBudget()
        self._modes = {best.monitor: best.mode for best in experiment.checkpoints.best}
        writer.put(_use_one_thread)

    @property
    def is_available(self) -> bool:
        """Whether `write` returns without waiting."""
        return self._budget.is_available

    def write(
        self, state: TrainingState, stage: str, keys: Iterable[str], suffix: str = ""
    ) -> None:
        """Queue a checkpoint. Wait first if too many snapshots are in memory already.

        Args:
            state: the snapshot.
            stage: the name of the current stage.
            keys: the rules that request a checkpoint, as reports name them. Whatever they are, the
                checkpoint is also `last`.
            suffix: of the directory's name, for a second checkpoint of the same step.
        """
        size = snapshot_bytes(state)
        self._budget.acquire(size, check=self.writer.raise_error)
        self.writer.put(lambda: self._write(state, stage, tuple(keys), suffix, size))

    def set_best(self, rows: Iterable[NewCheckpoint | CheckpointRow]) -> None:
        """Continue with the best checkpoints from before this attempt."""
        for row in rows:
            if row.kind == "best" and row.monitor is not None:
                self.best[row.monitor] = _best(row)

    def _write(
        self, state: TrainingState, stage: str, keys: tuple[str, ...], suffix: str, size: int
    ) -> Batch:
        """Write the files; return the rows and events that record them."""
        try:
            lease, storage = self.writer.lease, self.writer.storage
            name = f"step-{state.step}{suffix}"
            directory = storage.attempt(lease.job_id, lease.attempt) / name
            if directory.exists():
                files = _read_manifest(directory)
            else:
                metadata = checkpoint.metadata(self.experiment)
                files = checkpoint.save(state, directory, metadata=metadata)
            return self._batch(state, stage, keys, directory, files)
        finally:
            self._budget.release(size)

    def _batch(
        self,
        state: TrainingState,
        stage: str,
        keys: tuple[str, ...],
        directory: Path,
        files: Manifest,
    ) -> Batch:
        batch = Batch()
        for kind, monitor in _roles(keys):
            row = NewCheckpoint(
                id=new_id("ckpt"),
                kind=kind,
                monitor=monitor,
                mode=self._modes.get(monitor) if monitor else None,
                value=state.best.get(monitor) if monitor else None,
                stage=stage,
                epoch=state.epoch,
                step=state.step,
                directory=self.writer.storage.relative(directory),
                bytes=files[WEIGHTS]["bytes"],
                sha256=files[WEIGHTS]["sha256"],
                created_at=now(),
            )
            batch.checkpoints.append(row)
            batch.events.append(_event(row))
            if monitor:
                self.best[monitor] = _best(row)
                batch.best = dict(self.best)
        return batch


def snapshot_bytes(state: TrainingState) -> int:
    """Return the memory that the tensors of a snapshot take."""
    groups = [state.model, state.best_weights or {}, *state.optimizer.values()]
    return sum(tensor.nbytes for group in groups for tensor in group.values())


def _roles(keys: Iterable[str]) -> Iterable[tuple[str, str | None]]:
    """Return the kinds of a checkpoint, each once, with the metric that a `best` is the best of.

    Several rules may request the same epoch for the series.
    """
    roles: dict[tuple[str, str | None], None] = {("last", None): None}
    for key in keys:
        rule, _, argument = key.partition(":")
        kind = {"every": "series"}.get(rule, rule)
        roles[kind, argument if kind == "best" else None] = None
    return roles


def _best(row: NewCheckpoint | CheckpointRow) -> dict[str, Any]:
    return {
        "value": json_number(row.value),
        "epoch": row.epoch,
        "step": row.step,
        "checkpoint": row.id,
    }


def _event(row: NewCheckpoint) -> NewEvent:
    data = {
        "id": row.id,
        "kind": row.kind,
        "monitor": row.monitor,
        "value": json_number(row.value),
        "stage": row.stage,
        "epoch": row.epoch,
        "step": row.step,
    }
    return NewEvent("checkpoint", data, row.step)


def _use_one_thread() -> None:
    """Keep torch from starting OpenMP threads for the writer's thread.

    With more threads than cores OpenMP no longer lets any thread wait actively, and each training
    step on the CPU takes a fifth longer.
    """
    torch.set_num_threads(1)


def _read_manifest(directory: Path) -> Manifest:
    return json.loads((directory / checkpoint.MANIFEST).read_text())["files"]
