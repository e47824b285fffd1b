"""The TensorBoard log of a job. If writing it fails, training continues without it."""

import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import structlog

from shared.spec import TensorBoardSpec
from worker.tensorboard import summaries
from worker.tensorboard.event_file import PREFIX, EventFile
from worker.tensorboard.graph import graph
from worker.tensorboard.probe import Probe
from worker.training.experiment import Experiment

log = structlog.get_logger()


def _disable_on_error(write: Callable[..., None]) -> Callable[..., None]:
    """Report the first error as a note of the job, and write nothing more after it."""

    @wraps(write)
    def guarded(self: "TensorBoardLog", *args: Any, **kwargs: Any) -> None:
        if self.has_failed:
            return
        try:
            write(self, *args, **kwargs)
        except Exception as error:
            self.has_failed = True
            log.exception("writing for TensorBoard failed")
            self.close()
            reason = f"{type(error).__name__}: {error}"
            self._add_note(f"Nothing more is written for TensorBoard: {reason}")

    return guarded


class TensorBoardLog:
    """The event files of a job, one for each attempt: what is not a scalar.

    Args:
        directory: of the job's event files.
        spec: what to write in addition to the first layer and the graph.
        experiment: the network and its data.
        attempt: the attempt's number.
        step: the step that the attempt resumes from; None if it starts from scratch.
        add_note: adds a note to the job's events.
    """

    def __init__(
        self,
        directory: Path,
        spec: TensorBoardSpec,
        experiment: Experiment,
        *,
        attempt: int,
        step: int | None,
        add_note: Callable[[str], None],
    ) -> None:
        self.has_failed = False
        self._directory = directory
        self._spec = spec
        self._experiment = experiment
        self._add_note = add_note
        self._closing = ExitStack()
        self._open(attempt, step)

    @_disable_on_error
    def _open(self, attempt: int, step: int | None) -> None:
        if step is None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True, exist_ok=True)
        is_first = not any(self._directory.iterdir())
        purge_step = None if is_first or step is None else step + 1
        path = self._directory / f"{PREFIX}{attempt:010d}"
        self._file = self._closing.enter_context(EventFile(path, purge_step=purge_step))
        self._probe = Probe(self._experiment) if self._spec.gradients else None
        if is_first:
            self._write_graph()

    def _write_graph(self) -> None:
        """Write the graph; without it, if an operation does not support the meta device."""
        try:
            self._file.graph(graph(self._experiment.model, self._image_shape))
        except (RuntimeError, NotImplementedError) as error:
            log.warning("no graph for TensorBoard", error=str(error))

    @property
    def _image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self._experiment.splits.train.images.shape[1:]
        return channels, height, width

    @_disable_on_error
    def write_step(self, step: int) -> None:
        """Write weights and gradients after this step."""
        model = self._experiment.model
        if self._spec.histograms:
            self._histograms("weights", model.named_parameters(), step)
        if self._probe is not None:
            self._histograms("gradients", self._probe.gradients().items(), step)
        first = summaries.first_layer(model, self._image_shape)
        if first is not None:
            name, tiles_OCHW = first
            self._file.summary(summaries.filters(f"first_layer/{name}", tiles_OCHW), step)
        self._file.flush()

    def close(self) -> None:
        """Close the event file."""
        with suppress(OSError):  # a full disk, which has been reported already
            self._closing.close()

    def _histograms(self, group: str, tensors: Iterable[tuple[str, Any]], step: int) -> None:
        for name, tensor in tensors:
            summary = summaries.histogram(f"{group}/{name}", tensor)
            if summary is not None:
                self._file.summary(summary, step)
