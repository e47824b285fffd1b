import hashlib

import numpy as np
import pytest

from tests.worker.data.files import images_of
from worker.data import synthetic


def test_images_are_the_same_on_every_machine() -> None:
    images = images_of(synthetic.generate(40, 16))
    assert (
        hashlib.sha256(images.tobytes()).hexdigest()
        == "bf2e00c25707e8c77657ede5a7ffceb2d33be0fb7f6b774e3fba9ec946724dd9"
    )


def test_larger_set_starts_with_the_images_of_a_smaller_set() -> None:
    assert np.array_equal(
        images_of(synthetic.generate(30, 8)), images_of(synthetic.generate(520, 8))[:30]
    )


def test_later_images_differ_from_the_first() -> None:
    images = images_of(synthetic.generate(1_010, 8))
    assert len({image.tobytes() for image in images}) == 1_010


@pytest.mark.parametrize("size", [8, 9, 33, 224])
def test_images_are_drawn_in_any_size(size: int) -> None:
    content = synthetic.generate(11, size)
    images = images_of(content)
    assert images.shape == content.shape == (11, 3, size, size)
    assert images.dtype == np.uint8
    assert content.labels.tolist() == [*range(10), 0]


def test_images_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = images_of(synthetic.generate(25, 9))
    monkeypatch.setattr(synthetic, "BLOCK_BYTES", 4 * 3 * 9 * 9 * 7)
    parts = list(synthetic.generate(25, 9).blocks)
    assert [len(part) for part in parts] == [7, 7, 7, 4]
    assert np.array_equal(np.concatenate(parts), whole)


def test_stripes_have_the_direction_of_their_names() -> None:
    content = synthetic.generate(200, 32)
    grey = images_of(content).mean(axis=1)
    along_rows = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    along_columns = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
    horizontal, vertical = content.labels == 5, content.labels == 6
    assert (along_columns > along_rows)[horizontal].all()
    assert (along_columns < along_rows)[vertical].all()


def test_colours_are_independent_of_the_class() -> None:
    content = synthetic.generate(2_000, 8)
    colour = images_of(content).mean(axis=(2, 3))
    by_class = np.stack([colour[content.labels == label].mean(axis=0) for label in range(10)])
    assert (
        np.ptp(by_class, axis=0).max() < 20
    )  # of 255; the standard deviation within a class is 45
