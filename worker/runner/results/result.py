"""The test results of one checkpoint."""

from dataclasses import dataclass
from typing import Any

from shared.jobs.recording import NewArtifact


@dataclass(frozen=True)
class CheckpointResult:
    """The metrics of a checkpoint on the test split, what the API shows, and the files."""

    #: JSON values by name without the split; the loss comes first.
    metrics: dict[str, Any]
    #: The results as the API shows them, in JSON values.
    data: dict[str, Any]
    #: The file of predictions, relative to the storage.
    predictions: str
    artifacts: list[NewArtifact]
