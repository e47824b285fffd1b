import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.worker.data.files import fashion, images_of, served
from worker.data import fashion_mnist
from worker.data.dataset import ContentHash
from worker.data.errors import DatasetMissing, SourceFailed

IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return tmp_path / "usr/share/datasets/fashion-mnist"


@pytest.fixture
def no_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


class TestSources:
    def test_data_directory_is_read_first(self, data_dir: Path, installed: Path) -> None:
        publication = fashion(data_dir / "fashion-mnist", installed=installed)
        content = fashion_mnist.read(data_dir, publication)
        assert content.shape == (30, 1, 28, 28)
        assert content.first_test == 20
        assert content.labels.tolist() == [*range(10), *range(10), *range(10)]

    def test_files_of_the_installed_debian_package_are_read_second(
        self, data_dir: Path, installed: Path
    ) -> None:
        publication = fashion(installed, installed=installed)
        assert fashion_mnist.read(data_dir, publication).shape[0] == 30
        assert not data_dir.exists()

    @pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
    def test_package_is_fetched_by_apt_get_without_root_and_stored(
        self, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tree = tmp_path / "tree"
        inside = Path("/usr/share/datasets/of-the-test")
        publication = fashion(tree / inside.relative_to("/"), installed=inside)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            "Package: dataset-of-the-test\nVersion: 1\nArchitecture: all\n"
            "Maintainer: The Test <test@localhost>\nDescription: small images\n"
        )
        package = tmp_path / "dataset-of-the-test_1_all.deb"
        subprocess.run(["dpkg-deb", "--build", str(tree), str(package)], check=True)
        tools = tmp_path / "tools"  # an apt-get whose only package is this
        tools.mkdir()
        (tools / "apt-get").write_text(f'#!/bin/sh\ncp "{package}" .\n')
        (tools / "apt-get").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

        fetched = images_of(fashion_mnist.read(data_dir, publication))
        stored = fashion_mnist.read_files(data_dir / "fashion-mnist", publication)
        assert np.array_equal(fetched, images_of(stored))
        assert sorted(path.name for path in data_dir.iterdir()) == [
            "fashion-mnist",
            "fashion-mnist.lock",
        ]

    @pytest.mark.usefixtures("no_apt")
    def test_published_address_is_fetched_last_and_stored(
        self, data_dir: Path, installed: Path, tmp_path: Path
    ) -> None:
        publication = fashion(tmp_path / "www", installed=installed)
        (data_dir / "fashion-mnist.partial").mkdir(parents=True)
        (data_dir / "fashion-mnist.partial/of-a-killed-process").touch()
        with served(tmp_path / "www") as address:
            publication = dataclasses.replace(publication, address=address)
            fashion_mnist.read(data_dir, publication)
        assert fashion_mnist.read(data_dir, publication).shape[0] == 30
        assert not (data_dir / "fashion-mnist.partial").exists()

    @pytest.mark.usefixtures("no_apt")
    def test_error_has_the_reason_of_every_source(self, data_dir: Path, installed: Path) -> None:
        publication = fashion(data_dir / "elsewhere", installed=installed)
        with pytest.raises(DatasetMissing) as caught:
            fashion_mnist.read(data_dir, publication)
        missing = caught.value
        assert [source for source, _ in missing.tried] == [
            "TRAINSHED_HOME/data/fashion-mnist",
            "Debian's package dataset-fashion-mnist, installed",
            "apt-get download dataset-fashion-mnist, without root",
            "its published address",
        ]
        reasons = [reason for _, reason in missing.tried]
        assert IMAGES in reasons[0]
        assert reasons[2] == "apt-get is not installed on this machine"
        assert "does not respond" in reasons[3]
        assert "digits" in missing.hint
        assert str(data_dir) not in str(missing)


class TestDamagedFiles:
    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            (lambda content: content[:-500], "is damaged"),
            (lambda content: content[:200] + b"\xff" + content[201:], "is damaged"),
            (lambda _: b"", "is not the published file"),
            (lambda _: b"<html>not found</html>", "is damaged"),
        ],
        ids=["truncated", "a byte changed", "empty", "a web page"],
    )
    @pytest.mark.usefixtures("no_apt")
    def test_are_refused_and_the_next_source_is_read(
        self, data_dir: Path, installed: Path, damage: object, reason: str
    ) -> None:
        stored = data_dir / "fashion-mnist"
        publication = fashion(stored, installed=installed)
        assert callable(damage)
        (stored / IMAGES).write_bytes(damage((stored / IMAGES).read_bytes()))
        with pytest.raises(SourceFailed, match=f"{IMAGES} {reason}"):
            fashion_mnist.read_files(stored, publication)
        with pytest.raises(DatasetMissing, match=f"{IMAGES} {reason}"):
            fashion_mnist.read(data_dir, publication)
        fashion(installed, installed=installed)
        assert fashion_mnist.read(data_dir, publication).shape[0] == 30

    def test_other_content_is_refused(self, data_dir: Path, installed: Path) -> None:
        publication = fashion(data_dir, installed=installed)
        for name, other in ((IMAGES, "t10k-images-idx3-ubyte.gz"),):
            shutil.copy(data_dir / other, data_dir / name)
        with pytest.raises(SourceFailed, match="is not the published file"):
            fashion_mnist.read_files(data_dir, publication)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\0\0\x08", b"\0\0\x08\x03\0\0", b"\0\0\x0d\x01\0\0\0\0", b"\0\0\x08\x01\0\0\0\2\7"],
    )
    def test_other_formats_than_idx_are_refused(self, content: bytes) -> None:
        with pytest.raises(SourceFailed, match="here"):
            fashion_mnist.parse_idx("here", content)


@pytest.mark.skipif(
    not (fashion_mnist.PUBLISHED.installed / IMAGES).exists(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_the_real_files_hold_the_70_000_images() -> None:
    content = fashion_mnist.read_files(fashion_mnist.PUBLISHED.installed)
    images = images_of(content)
    assert images.shape == content.shape == (70_000, 1, 28, 28)
    assert content.first_test == 60_000
    assert np.bincount(content.labels[:60_000]).tolist() == [6_000] * 10
    assert np.bincount(content.labels[60_000:]).tolist() == [1_000] * 10
    # the well-known mean and standard deviation of the training images
    counts = np.bincount(images[:60_000].reshape(-1), minlength=256) / (60_000 * 784)
    values = np.arange(256) / 255
    mean = (counts * values).sum()
    assert round(mean, 4) == 0.2860
    assert round(np.sqrt((counts * (values - mean) ** 2).sum()), 4) == 0.3530
    content_hash = ContentHash(content)
    content_hash.update(images.data)
    assert content_hash.finish() == (
        "sha256:5cb337e5937cdf7189b8bca78bda55da1bfa95148fb5d405766cd2b9b053a826"
    )
