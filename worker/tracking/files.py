"""The files of a run: links to the job's own files where possible, and their addresses."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from mlflow.tracking import MlflowClient

from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import ArtifactRow, CheckpointRow
from shared.storage import WEIGHTS, Storage

#: The size up to which a result is sent to a server that stores artifacts itself.
MAX_SENT_BYTES = 8 * 2**20


@dataclass(frozen=True)
class RunFiles:
    """The files of one run.

    They are hard links to the job's files if the run's artifacts lie in this file system. Behind
    `mlflow-artifacts:` they would have to be sent, and take the disk space twice: only results of
    at most `MAX_SENT_BYTES` are.
    """

    client: MlflowClient
    storage: Storage
    run_id: str
    #: Where the run's artifacts lie; None behind a server.
    directory: Path | None

    @classmethod
    def of(cls, client: MlflowClient, storage: Storage, run_id: str) -> "RunFiles":
        """Return the files of a run, after asking MLflow where they lie."""
        uri = urlsplit(client.get_run(run_id).info.artifact_uri or "")
        directory = Path(unquote(uri.path)) if uri.scheme in {"", "file"} else None
        return cls(client, storage, run_id, directory)

    def log_checkpoints(self, rows: Iterable[CheckpointRow]) -> None:
        """Link the weights of each checkpoint, and send where they lie. Weights are never sent."""
        references = {}
        for row in rows:
            if row.kind == "previous":
                continue
            name = checkpoint_name(row)
            source = self.storage.root / row.directory / WEIGHTS
            self._link(source, f"checkpoints/{name}")
            references[name] = self._checkpoint_reference(row, source)
        self._log_references(references, "checkpoints")

    def log_results(self, rows: Iterable[ArtifactRow]) -> None:
        """Link or send the confusion matrices and the tables of predictions, and where they lie."""
        references = {}
        for row in rows:
            source = self.storage.root / row.path
            if not self._link(source, "results") and self._is_sendable(source):
                self.client.log_artifact(self.run_id, str(source), "results")
            references[row.name] = {
                "artifact": row.id,
                "bytes": row.bytes,
                "sha256": row.sha256,
                "path": row.path,
                "download": f"/v1/jobs/{row.job_id}/artifacts/{row.id}/download",
            }
        if references:
            self._log_references(references, "results")

    def _checkpoint_reference(self, row: CheckpointRow, source: Path) -> dict[str, Any]:
        """Return what a reader of MLflow needs to find and check a checkpoint's file."""
        return {
            "checkpoint": row.id,
            "stage": row.stage,
            "epoch": row.epoch,
            "step": row.step,
            "bytes": row.bytes,
            "sha256": row.sha256,
            # Relative to the storage's root, which may be mounted at another path elsewhere.
            "path": self.storage.relative(source),
            "download": f"/v1/jobs/{row.job_id}/checkpoints/{row.id}/download",
        }

    def _log_references(self, references: dict[str, Any], directory: str) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / f"{directory}.json"
            path.write_bytes(orjson.dumps(references, option=orjson.OPT_INDENT_2))
            self.client.log_artifact(self.run_id, str(path), directory)

    def _link(self, source: Path, directory: str) -> bool:
        """Create a hard link to a file, if possible; return whether the run has the file."""
        if self.directory is None:
            return False
        target = self.directory / directory / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except FileExistsError:  # from an earlier try
            return True
        except OSError:  # another file system, or the job has been deleted
            return False
        return True

    def _is_sendable(self, source: Path) -> bool:
        return source.is_file() and source.stat().st_size <= MAX_SENT_BYTES
