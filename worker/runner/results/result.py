"""What came out of evaluating a checkpoint on the test split."""

from dataclasses import dataclass
from typing import Any

from shared.jobs.recording import NewArtifact


@dataclass(frozen=True)
class CheckpointResult:
    """Figures, what the API shows of them, and files."""

    #: By name, without the split; loss first.
    figures: dict[str, Any]
    #: As JSON.
    data: dict[str, Any]
    #: The file of predictions, in the storage.
    predictions: str
    artifacts: list[NewArtifact]
