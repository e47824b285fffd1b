from pathlib import Path

import numpy as np
from PIL import Image

from tests.worker.data.uploads.archives import checked, encoded, noise, two_classes, zipped
from worker.data.uploads.perceptual_hash import perceptual_hash, similar_pairs


def _rules(path: Path, files: dict[str, bytes]) -> dict[str, list[str]]:
    report = checked(zipped(path / "a.zip", files))
    return {warning.rule: warning.files for warning in report.warnings}


def test_equal_pictures_of_a_class_are_a_warning(tmp_path: Path) -> None:
    files = two_classes()
    files["cats/copy.png"] = files["cats/3.png"]
    assert _rules(tmp_path, files) == {"duplicates": ["cats/3.png", "cats/copy.png"]}
    (warning,) = checked(tmp_path / "a.zip").warnings
    assert warning.detail == "1 picture is the same as another of the same class"


def test_equal_pictures_of_two_classes_have_a_warning_of_their_own(tmp_path: Path) -> None:
    files = two_classes()
    files["dogs/copy.png"] = files["cats/3.png"]
    rules = _rules(tmp_path, files)
    assert rules == {"duplicates_with_different_labels": ["cats/3.png", "dogs/copy.png"]}


def test_equal_pictures_of_two_splits_have_a_warning_of_their_own(tmp_path: Path) -> None:
    files = {f"train/{name}": content for name, content in two_classes().items()}
    files |= {f"test/{name}/x.png": files[f"train/{name}/1.png"] for name in ("cats", "dogs")}
    assert set(_rules(tmp_path, files)) == {"duplicates_across_splits"}


def test_picture_saved_again_is_nearly_the_same(tmp_path: Path) -> None:
    files = {
        f"{name}/{seed}.png": encoded(noise(seed, size=(80, 60)))
        for name, seeds in (("cats", range(20)), ("dogs", range(20, 40)))
        for seed in seeds
    }
    image = noise(3, size=(80, 60))
    files["cats/again.jpg"] = encoded(image, "JPEG", quality=70)
    files["dogs/smaller.png"] = encoded(image.resize((60, 45)))
    assert _rules(tmp_path, files) == {
        "near_duplicates": ["cats/3.png", "cats/again.jpg"],
        "near_duplicates_with_different_labels": [
            "cats/3.png", "dogs/smaller.png", "cats/again.jpg",
        ],
    }  # fmt: skip


def test_pictures_of_another_brightness_are_not_the_same() -> None:
    image = noise(1, size=(64, 64))
    darker = image.point(lambda value: value // 2)
    found = [perceptual_hash(image), perceptual_hash(darker)]
    hashes = np.array([identity for identity, _ in found], np.uint64)
    thumbnails = np.stack([np.frombuffer(small, np.uint8) for _, small in found])
    assert len(similar_pairs(hashes, thumbnails)) == 0


def test_hashes_that_differ_in_three_bits_are_found_among_many() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64)
    for bits in ([0, 17, 40], [5, 6, 7], [20, 33, 63]):
        changed = np.uint64(sum(1 << bit for bit in bits))
        hashes[7_000] = hashes[13_000] ^ changed
        pairs = similar_pairs(hashes, np.zeros((20_000, 64), np.uint8))
        assert pairs.tolist() == [[7_000, 13_000]]


def test_thousands_of_equal_pictures_are_searched_in_bounded_memory() -> None:
    blank = Image.new("L", (16, 16))
    identity, small = perceptual_hash(blank)
    thumbnails = np.tile(np.frombuffer(small, np.uint8), (5_000, 1))
    pairs = similar_pairs(np.full(5_000, identity, np.uint64), thumbnails)
    assert set(pairs[:, 0]) | set(pairs[:, 1]) == set(range(5_000))
    assert len(pairs) <= 4 * 16 * 5_000
