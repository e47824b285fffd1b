"""What is written for TensorBoard, and when. Where that fails, the training goes on without it."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import structlog

from shared.spec import TensorBoardSpec
from worker.tensorboard import pictures
from worker.tensorboard.event_file import PREFIX, EventFile
from worker.tensorboard.graph import graph
from worker.tensorboard.probe import Probe
from worker.training.experiment import Experiment
from worker.training.metrics import PREFIXES, metric_of

log = structlog.get_logger()


def _never_in_the_way(write: Callable[..., None]) -> Callable[..., None]:
    """Whatever goes wrong is told once, and nothing more is written."""

    @wraps(write)
    def guarded(self: "TensorBoardLog", *arguments: Any, **named: Any) -> None:
        if self.failed:
            return
        try:
            write(self, *arguments, **named)
        except Exception as error:
            self.failed = True
            log.exception("tensorboard")
            self.close()
            self._tell(f"No more is written for TensorBoard: {type(error).__name__}: {error}")

    return guarded


class TensorBoardLog:
    """The event files of a job, one an attempt.

    Args:
        directory: where they lie.
        asked: what is written beside scalars, the first layer and the graph.
        experiment: what is trained.
        attempt: its number.
        step: the step that the attempt goes on from; None if it starts anew.
        tell: takes a note for the person.
    """

    def __init__(
        self,
        directory: Path,
        asked: TensorBoardSpec,
        experiment: Experiment,
        *,
        attempt: int,
        step: int | None,
        tell: Callable[[str], None],
    ) -> None:
        self.failed = False
        self._directory = directory
        self._asked = asked
        self._experiment = experiment
        self._tell = tell
        self._closing = ExitStack()
        self._open(attempt, step)

    @_never_in_the_way
    def _open(self, attempt: int, step: int | None) -> None:
        if step is None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True, exist_ok=True)
        is_first = not any(self._directory.iterdir())
        purge_step = None if is_first or step is None else step + 1
        path = self._directory / f"{PREFIX}{attempt:010d}"
        self._file = self._closing.enter_context(EventFile(path, purge_step=purge_step))
        self._probe = Probe(self._experiment) if self._asked.gradients else None
        if is_first:
            self._write_graph()

    def _write_graph(self) -> None:
        """The graph; a network that cannot be followed is no reason to write nothing else."""
        try:
            self._file.graph(graph(self._experiment.model, self._image_shape))
        except (RuntimeError, NotImplementedError) as error:
            log.warning("no graph", error=str(error))

    @property
    def _image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self._experiment.splits.train.images.shape[1:]
        return channels, height, width

    @_never_in_the_way
    def show(self, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics, weights and gradients as they are after this step."""
        for name, value in metrics.items():
            self._file.summary(pictures.scalar(tag(name), value), step)
        model = self._experiment.model
        if self._asked.histograms:
            self._histograms("weights", model.named_parameters(), step)
        if self._probe is not None:
            self._histograms("gradients", self._probe.gradients().items(), step)
        first = pictures.first_layer(model, self._image_shape)
        if first is not None:
            name, tiles_OCHW = first
            self._file.summary(pictures.filters(f"first_layer/{name}", tiles_OCHW), step)
        self._file.flush()

    @_never_in_the_way
    def finish(self, step: int, metrics: Mapping[str, float]) -> None:
        """The figures of the test split. A file of their own: evaluated again, they replace it."""
        self.close()
        with EventFile(self._directory / f"{PREFIX}test") as file:
            for name, value in metrics.items():
                file.summary(pictures.scalar(tag(name), value), step)

    def close(self) -> None:
        """Nothing more will be written."""
        with suppress(OSError):  # a full disk was told already
            self._closing.close()

    def _histograms(self, group: str, tensors: Iterable[tuple[str, Any]], step: int) -> None:
        for name, tensor in tensors:
            summary = pictures.histogram(f"{group}/{name}", tensor)
            if summary is not None:
                self._file.summary(summary, step)


def tag(metric: str) -> str:
    """A metric's name under what it measures, so that the splits stand side by side."""
    split = metric_of(metric).split
    return f"{metric.removeprefix(PREFIXES[split] if split else '')}/{metric}"
