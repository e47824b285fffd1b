"""Event files as TensorBoard reads them."""

from pathlib import Path

from torch.utils.tensorboard import summary

from tests.worker.tensorboard.event_files import scalars
from worker.tensorboard.event_file import PREFIX, EventFile


def _write(path: Path, steps: range, value: float, *, purge_step: int | None = None) -> None:
    with EventFile(path, purge_step=purge_step) as file:
        for step in steps:
            file.summary(summary.scalar("loss", value), step)


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    _write(tmp_path / f"{PREFIX}1", range(3), 0.5)
    assert scalars(tmp_path, "loss") == [(0, 0.5), (1, 0.5), (2, 0.5)]


def test_flushed_events_can_be_read_before_the_file_is_closed(
    tmp_path: Path,
) -> None:
    file = EventFile(tmp_path / f"{PREFIX}1")
    file.summary(summary.scalar("loss", 0.5), 7)
    file.flush()
    assert scalars(tmp_path, "loss") == [(7, 0.5)]
    file.close()


def test_a_later_file_replaces_the_steps_after_its_purge_step(tmp_path: Path) -> None:
    _write(tmp_path / f"{PREFIX}1", range(5), 1.0)
    _write(tmp_path / f"{PREFIX}2", range(3, 6), 2.0, purge_step=3)
    assert scalars(tmp_path, "loss") == [
        *((step, 1.0) for step in range(3)),
        *((step, 2.0) for step in range(3, 6)),
    ]


def test_a_truncated_file_is_read_up_to_its_last_whole_event(tmp_path: Path) -> None:
    path = tmp_path / f"{PREFIX}1"
    _write(path, range(5), 1.0)
    path.write_bytes(path.read_bytes()[:-7])
    assert [step for step, _ in scalars(tmp_path, "loss")] == [0, 1, 2, 3]
