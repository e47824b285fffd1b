"""Event files as TensorBoard itself reads them."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

#: Everything is kept; TensorBoard's pages thin out.
ALL = {"scalars": 0, "histograms": 0, "images": 0}


def read(directory: Path) -> EventAccumulator:
    """What a directory of event files says."""
    found = EventAccumulator(str(directory), size_guidance=ALL)
    found.Reload()
    return found


def scalars(directory: Path, tag: str) -> list[tuple[int, float]]:
    """A curve: step and value."""
    return [(event.step, event.value) for event in read(directory).Scalars(tag)]
