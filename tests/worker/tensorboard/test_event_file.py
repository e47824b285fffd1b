from pathlib import Path

from tests.worker.tensorboard.reading import scalars
from worker.tensorboard import pictures
from worker.tensorboard.event_file import PREFIX, EventFile


def _write(path: Path, steps: range, value: float, *, purge_step: int | None = None) -> None:
    with EventFile(path, purge_step=purge_step) as file:
        for step in steps:
            file.summary(pictures.scalar("loss", value), step)


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    _write(tmp_path / f"{PREFIX}1", range(3), 0.5)
    assert scalars(tmp_path, "loss") == [(0, 0.5), (1, 0.5), (2, 0.5)]


def test_what_is_flushed_is_there_for_a_reader_though_nobody_closed_the_file(
    tmp_path: Path,
) -> None:
    file = EventFile(tmp_path / f"{PREFIX}1")
    file.summary(pictures.scalar("loss", 0.5), 7)
    file.flush()
    assert scalars(tmp_path, "loss") == [(7, 0.5)]
    file.close()


def test_a_later_file_takes_the_place_of_the_steps_that_it_repeats(tmp_path: Path) -> None:
    _write(tmp_path / f"{PREFIX}1", range(5), 1.0)
    _write(tmp_path / f"{PREFIX}2", range(3, 6), 2.0, purge_step=3)
    assert scalars(tmp_path, "loss") == [
        *((step, 1.0) for step in range(3)),
        *((step, 2.0) for step in range(3, 6)),
    ]


def test_a_file_cut_short_by_a_crash_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / f"{PREFIX}1"
    _write(path, range(5), 1.0)
    path.write_bytes(path.read_bytes()[:-7])
    assert [step for step, _ in scalars(tmp_path, "loss")] == [0, 1, 2, 3]
