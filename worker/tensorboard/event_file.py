"""An event file of TensorBoard: a sequence of events, each with a checksum.

`torch.utils.tensorboard.SummaryWriter` writes in a thread, whose errors come late or make it hang.
Here each write is done when it returns, and an error is raised where it happens.
"""
# protobuf generates the message classes at run time, so that a type checker does not know them.
# pyright: reportAttributeAccessIssue=false

import time
from pathlib import Path
from typing import Self

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

#: TensorBoard reads the files whose names contain this, in the order of their names.
PREFIX = "events.out.tfevents."


class EventFile:
    """A new event file, which replaces an existing file of the same name.

    Args:
        path: of the file.
        purge_step: readers drop what earlier files contain of this step and of later steps.
    """

    def __init__(self, path: Path, *, purge_step: int | None = None) -> None:
        self._file = path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            start = SessionLog(status=SessionLog.START)
            self._write(Event(step=purge_step, session_log=start))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def summary(self, value: Summary, step: int) -> None:
        """Write histograms or images of a step."""
        self._write(Event(summary=value, step=step))

    def graph(self, value: GraphDef) -> None:
        """Write the network's graph."""
        self._write(Event(graph_def=value.SerializeToString()))

    def flush(self) -> None:
        """Hand everything to the operating system, so that it outlives this process."""
        self._records.flush()

    def close(self) -> None:
        """Flush and close the file."""
        self._records.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
