import dataclasses
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.worker.data.files import cifar, images_of, served
from worker.data import cifar10
from worker.data.errors import DatasetMissing, SourceFailed


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "data/cifar10/cifar-10-binary.tar.gz"


def test_file_of_the_user_is_read_training_images_first(archive: Path, tmp_path: Path) -> None:
    pixels = np.arange(3_072, dtype=np.uint8).tobytes()
    record = b"\x07" + pixels
    publication = cifar(archive, images=1, data_batch_1=record, test_batch=b"\x02" + pixels)
    content = cifar10.read(tmp_path / "data", publication)
    images = images_of(content)
    assert content.shape == images.shape == (6, 3, 32, 32)
    assert content.first_test == 5
    assert (content.labels[0], content.labels[5]) == (7, 2)
    assert images[0].tobytes() == pixels  # red plane, green plane, blue plane
    assert list(archive.parent.iterdir()) == [archive]


def test_missing_archive_is_fetched_and_stored(archive: Path, tmp_path: Path) -> None:
    publication = cifar(tmp_path / "www" / archive.name)
    with served(tmp_path / "www") as address:
        publication = dataclasses.replace(publication, address=f"{address}/{archive.name}")
        cifar10.read(tmp_path / "data", publication)
    assert list(archive.parent.iterdir()) == [archive]
    assert cifar10.read(tmp_path / "data", publication).shape[0] == 18


def test_fetched_file_with_another_digest_is_not_stored(archive: Path, tmp_path: Path) -> None:
    publication = cifar(tmp_path / "www" / archive.name)
    with served(tmp_path / "www") as address:
        publication = dataclasses.replace(
            publication, address=f"{address}/{archive.name}", md5="0" * 32
        )
        with pytest.raises(DatasetMissing, match="has the md5"):
            cifar10.read(tmp_path / "data", publication)
    assert list(archive.parent.iterdir()) == []


def test_error_without_file_and_network_has_a_hint(archive: Path, tmp_path: Path) -> None:
    publication = cifar(tmp_path / "elsewhere")
    with pytest.raises(DatasetMissing, match=r"does not exist.*does not respond") as caught:
        cifar10.read(tmp_path / "data", publication)
    assert "TRAINSHED_HOME/data/cifar10" in caught.value.hint


class TestDamagedArchives:
    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"test_batch": b"\x00" * 10}, "has 10 bytes"),
            ({"data_batch_2": b"\x0a" * 3 * cifar10.RECORD_BYTES}, "has the label 10"),
            ({"data_batch_3": b"\x00" * 4 * cifar10.RECORD_BYTES}, "not the binary version"),
        ],
    )
    def test_wrong_members_are_refused(
        self, archive: Path, changed: dict[str, bytes], reason: str
    ) -> None:
        publication = cifar(archive, **changed)
        with pytest.raises(SourceFailed, match=reason):
            cifar10.read_archive(archive, publication)

    def test_truncated_archive_is_refused(self, archive: Path) -> None:
        publication = cifar(archive)
        content = archive.read_bytes()
        for length in (0, 100, len(content) // 2, len(content) - 4):
            archive.write_bytes(content[:length])
            with pytest.raises(SourceFailed, match=r"is damaged|lacks"):
                cifar10.read_archive(archive, publication)

    def test_changed_byte_is_detected(self, archive: Path) -> None:
        publication = cifar(archive)
        content = bytearray(archive.read_bytes())
        content[-6] ^= 1  # of the checksum: only reading to the end detects it
        archive.write_bytes(content)
        with pytest.raises(SourceFailed, match="is damaged"):
            cifar10.read_archive(archive, publication)

    def test_missing_batches_are_named(self, archive: Path) -> None:
        publication = cifar(archive)
        with tarfile.open(archive, "w:gz") as emptied:
            member = tarfile.TarInfo("../../data_batch_1.bin")
            member.size = 3 * cifar10.RECORD_BYTES
            emptied.addfile(member, io.BytesIO(bytes(member.size)))
            link = tarfile.TarInfo("data_batch_2.bin")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/hosts"
            emptied.addfile(link)
        with pytest.raises(SourceFailed, match=r"lacks data_batch_2\.bin, data_batch_3\.bin"):
            cifar10.read_archive(archive, publication)
        assert list(archive.parent.iterdir()) == [archive]
