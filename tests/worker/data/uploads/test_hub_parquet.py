"""Parquet files in the layout that the library «datasets» writes."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.worker.data.uploads.archives import checked, noise, png, refusal
from worker.data.uploads import open_upload, read_images

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["katze", "hund"], "_type": "ClassLabel"},
}


def _written(
    path: Path,
    contents: list[bytes | None],
    labels: pa.Array,
    *,
    features: dict[str, object] | None = FEATURES,  # type: ignore[assignment]
    name: str = "label",
    **options: object,
) -> Path:
    images = pa.array(
        [{"bytes": each, "path": f"{i}.png"} for i, each in enumerate(contents)], IMAGE
    )
    table = pa.table({"image": images, name: labels})
    if features is not None:
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(metadata)
    parquet.write_table(table, path, **options)
    return path


def test_pictures_and_class_names(tmp_path: Path) -> None:
    contents = [png(seed) for seed in range(50)]
    labels = pa.array([seed % 2 for seed in range(50)])
    path = _written(tmp_path / "a", contents, labels, row_group_size=7)
    report = checked(path)
    assert [(found.name, found.images) for found in report.classes] == [("katze", 25), ("hund", 25)]
    assert report.warnings == []
    images = read_images(open_upload(path), image_size=10, channels=3)
    pixels = np.concatenate(list(images.content.blocks))
    assert images.content.labels.tolist() == labels.to_pylist()
    assert np.array_equal(pixels[33].transpose(1, 2, 0), np.asarray(noise(33))[:, 1:11])


def test_text_is_a_label_as_well(tmp_path: Path) -> None:
    labels = pa.array(["猫", "dog"]).dictionary_encode()
    path = _written(tmp_path / "a", [png(1), png(2)], labels, features=None, name="labels")
    assert open_upload(path).class_names == ("dog", "猫")


@pytest.mark.parametrize(
    ("contents", "labels", "file", "detail"),
    [
        ([png(1), None], pa.array([0, 1]), "image[1]", "no bytes"),
        ([png(1), b"<svg/>"], pa.array([0, 1]), "image[1]", "SVG"),
        ([png(1), png(2)], pa.array([0, None]), "label", "needs a label"),
        ([png(1), png(2)], pa.array([0, -1]), "label", "the label -1"),
        ([png(1), png(2)], pa.array([0.5, 1]), "label", "type double"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, contents: list[bytes | None], labels: pa.Array, file: str, detail: str
) -> None:
    faults = refusal(_written(tmp_path / "a", contents, labels))
    found = next(value for name, value in faults.items() if name.startswith(file))
    assert detail in found


def test_pictures_without_labels_are_refused(tmp_path: Path) -> None:
    path = _written(tmp_path / "a", [png(1)], pa.array([0]), features=None, name="caption_id")
    assert "no column named label" in refusal(path)[""]


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path / "a", [png(seed) for seed in range(9)], pa.array([0, 1, 0] * 3))
    whole = path.read_bytes()
    for damaged in (whole[:-100], whole[:50], whole[:8] + bytes(60) + whole[68:]):
        path.write_bytes(damaged)
        assert refusal(path)
