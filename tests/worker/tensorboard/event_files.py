"""Event files, read by TensorBoard."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

#: Keep every event; the default keeps a sample.
ALL = {"scalars": 0, "histograms": 0, "images": 0}


def read(directory: Path) -> EventAccumulator:
    """Return the events of a directory of event files."""
    events = EventAccumulator(str(directory), size_guidance=ALL)
    events.Reload()
    return events


def scalars(directory: Path, tag: str) -> list[tuple[int, float]]:
    """Return the steps and values of a tag."""
    return [(event.step, event.value) for event in read(directory).Scalars(tag)]
