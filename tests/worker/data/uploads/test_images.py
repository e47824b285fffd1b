from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worker.data.uploads.archives import encoded, noise, png, two_classes, zipped
from worker.data.uploads import Images, UploadRejected, open_upload, prepare, read_images


def _read(path: Path, *, image_size: int = 8, channels: int = 3, **options: object) -> Images:
    upload = open_upload(path)
    return read_images(upload, image_size=image_size, channels=channels, **options)


def _pixels(images: Images) -> np.ndarray:
    return np.concatenate(list(images.content.blocks))


def test_images_come_by_class_and_name_in_the_requested_shape(tmp_path: Path) -> None:
    files = two_classes(3)
    images = _read(zipped(tmp_path / "a.zip", dict(reversed(files.items()))), resize="stretch")
    assert images.content.shape == (6, 3, 8, 8)
    assert images.content.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.splits is None
    assert images.content.first_test is None
    pixels = _pixels(images)
    for index, seed in enumerate((0, 1, 2, 1000, 1001, 1002)):
        expected = noise(seed).resize((8, 8), Image.Resampling.BILINEAR)
        assert np.array_equal(pixels[index], np.asarray(expected).transpose(2, 0, 1))


def test_own_splits_come_in_order_with_test_last(tmp_path: Path) -> None:
    files = {f"{s}/{name}/1.png": png() for s in ("test", "train", "val") for name in "ab"}
    images = _read(zipped(tmp_path / "a.zip", files))
    assert images.splits is not None
    assert images.splits.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.content.first_test == 4


def test_skipped_files_are_left_out(tmp_path: Path) -> None:
    files = {"a/1.png": png(1), "a/2.png": b"", "b/1.png": png(2), "b/2.png": png(3)}
    images = _read(zipped(tmp_path / "a.zip", files), skipped=["a/2.png"])
    assert images.content.labels.tolist() == [0, 1, 1]
    assert len(_pixels(images)) == 3


def test_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    images = _read(zipped(tmp_path / "a.zip", {"a/1.png": png(1), "b/1.png": b"gone"}))
    with pytest.raises(UploadRejected, match=r"b/1\.png"):
        _pixels(images)


def test_one_channel_is_luminance(tmp_path: Path) -> None:
    images = _read(zipped(tmp_path / "a.zip", {"a/1.png": png(1, size=(8, 8))}), channels=1)
    assert np.array_equal(_pixels(images)[0, 0], np.asarray(noise(1, size=(8, 8)).convert("L")))


def test_grey_picture_fills_three_channels(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a/1.png": png(1, size=(8, 8), channels=1)})
    (pixels,) = _pixels(_read(path))
    assert (pixels == pixels[0]).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_prediction_prepares_a_picture_as_training_does(
    tmp_path: Path, channels: int, resize: str
) -> None:
    content = encoded(noise(4, size=(30, 17)), "JPEG")
    images = _read(
        zipped(tmp_path / "a.zip", {"a/1.jpg": content}), channels=channels, resize=resize
    )
    alone = prepare(content, image_size=8, channels=channels, resize=resize)
    assert np.array_equal(_pixels(images)[0], alone)


def _bars() -> bytes:
    """Return a picture of 30 × 10 pixels: black, grey, white."""
    return encoded(Image.fromarray(np.repeat(np.uint8([[0, 128, 255]] * 10), 10, axis=1)))


def test_resize_crops_pads_or_stretches(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a/1.png": _bars()})
    rows = {
        resize: _pixels(_read(path, image_size=9, channels=1, resize=resize))[0, 0]
        for resize in ("crop", "pad", "stretch")
    }
    assert np.abs(rows["crop"].astype(int) - 128).max() <= 8
    assert rows["stretch"][4].tolist()[::4] == [0, 128, 255]
    assert rows["pad"][:, 4].tolist() == [0, 0, 0, 128, 128, 128, 0, 0, 0]
