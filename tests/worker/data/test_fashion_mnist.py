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


class TestWhereItIsLookedFor:
    def test_first_in_the_data_directory(self, data_dir: Path, installed: Path) -> None:
        publication = fashion(data_dir / "fashion-mnist", installed=installed)
        content = fashion_mnist.read(data_dir, publication)
        assert content.shape == (30, 1, 28, 28)
        assert content.first_test == 20
        assert content.labels.tolist() == [*range(10), *range(10), *range(10)]

    def test_then_among_the_files_of_debian_s_package(
        self, data_dir: Path, installed: Path
    ) -> None:
        publication = fashion(installed, installed=installed)
        assert fashion_mnist.read(data_dir, publication).shape[0] == 30
        assert not data_dir.exists()

    @pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not here")
    def test_then_by_apt_get_without_root_and_it_is_kept(
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
        tools = tmp_path / "tools"  # an apt-get that has the package in its only repository
        tools.mkdir()
        (tools / "apt-get").write_text(f'#!/bin/sh\ncp "{package}" .\n')
        (tools / "apt-get").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

        fetched = images_of(fashion_mnist.read(data_dir, publication))
        kept = fashion_mnist.read_files(data_dir / "fashion-mnist", publication)
        assert np.array_equal(fetched, images_of(kept))
        assert sorted(path.name for path in data_dir.iterdir()) == [
            "fashion-mnist",
            "fashion-mnist.lock",
        ]

    @pytest.mark.usefixtures("no_apt")
    def test_last_at_its_published_address_and_it_is_kept(
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
    def test_when_nothing_works_every_way_says_why(self, data_dir: Path, installed: Path) -> None:
        publication = fashion(data_dir / "elsewhere", installed=installed)
        with pytest.raises(DatasetMissing) as caught:
            fashion_mnist.read(data_dir, publication)
        missing = caught.value
        assert [way for way, _ in missing.tried] == [
            "TRAINSHED_HOME/data/fashion-mnist",
            "Debian's package dataset-fashion-mnist, installed",
            "apt-get download dataset-fashion-mnist, without root",
            "its published address",
        ]
        whys = [why for _, why in missing.tried]
        assert IMAGES in whys[0]
        assert whys[2] == "there is no apt-get on this machine"
        assert "does not answer" in whys[3]
        assert "digits" in missing.hint
        assert str(data_dir) not in str(missing)


class TestDamagedFiles:
    @pytest.mark.parametrize(
        ("damage", "why"),
        [
            (lambda content: content[:-500], "is damaged"),
            (lambda content: content[:200] + b"\xff" + content[201:], "is damaged"),
            (lambda _: b"", "is not the published file"),
            (lambda _: b"<html>not found</html>", "is damaged"),
        ],
        ids=["truncated", "a byte changed", "empty", "a web page"],
    )
    @pytest.mark.usefixtures("no_apt")
    def test_are_refused_and_the_next_way_is_taken(
        self, data_dir: Path, installed: Path, damage: object, why: str
    ) -> None:
        kept = data_dir / "fashion-mnist"
        publication = fashion(kept, installed=installed)
        assert callable(damage)
        (kept / IMAGES).write_bytes(damage((kept / IMAGES).read_bytes()))
        with pytest.raises(SourceFailed, match=f"{IMAGES} {why}"):
            fashion_mnist.read_files(kept, publication)
        with pytest.raises(DatasetMissing, match=f"{IMAGES} {why}"):
            fashion_mnist.read(data_dir, publication)
        fashion(installed, installed=installed)
        assert fashion_mnist.read(data_dir, publication).shape[0] == 30

    def test_another_content_is_not_taken_for_the_published_one(
        self, data_dir: Path, installed: Path
    ) -> None:
        publication = fashion(data_dir, installed=installed)
        for name, other in ((IMAGES, "t10k-images-idx3-ubyte.gz"),):
            shutil.copy(data_dir / other, data_dir / name)
        with pytest.raises(SourceFailed, match="is not the published file"):
            fashion_mnist.read_files(data_dir, publication)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\0\0\x08", b"\0\0\x08\x03\0\0", b"\0\0\x0d\x01\0\0\0\0", b"\0\0\x08\x01\0\0\0\2\7"],
    )
    def test_what_is_no_idx_file_is_refused(self, content: bytes) -> None:
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
    # mean and deviation of the training images as everybody's normalisation of this set has them
    counts = np.bincount(images[:60_000].reshape(-1), minlength=256) / (60_000 * 784)
    values = np.arange(256) / 255
    mean = (counts * values).sum()
    assert round(mean, 4) == 0.2860
    assert round(np.sqrt((counts * (values - mean) ** 2).sum()), 4) == 0.3530
    hashed = ContentHash(content)
    hashed.update(images.data)
    assert hashed.finish() == (
        "sha256:5cb337e5937cdf7189b8bca78bda55da1bfa95148fb5d405766cd2b9b053a826"
    )
