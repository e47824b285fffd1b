"""Whether a job can read a data set: files on the box, or an address that responds."""

import dataclasses
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.worker.data.files import NOWHERE, cifar, served
from worker.data import availability, cifar10, fashion_mnist
from worker.data.errors import SourceFailed
from worker.data.fetching import download, responds


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cifar10, fashion_mnist):
        monkeypatch.setattr(module, "responds", lambda _: False)
    monkeypatch.setattr(fashion_mnist, "is_debian_package_known", lambda _: False)


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize("name", availability.FETCHED)
def test_a_data_set_that_is_nowhere_comes_with_how_to_bring_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(availability, "is_available", lambda *_: False)
    text = availability.why_missing(name, Settings(home=tmp_path))
    assert text is not None
    assert text.startswith(f"`{name}` is not on this box, and its published address does not")
    assert f"TRAINSHED_HOME/data/{name}" in text


@pytest.mark.usefixtures("_no_network")
def test_files_on_the_box_are_enough(tmp_path: Path) -> None:
    (tmp_path / "data/cifar10").mkdir(parents=True)
    (tmp_path / "data/cifar10/cifar-10-binary.tar.gz").touch()
    assert availability.why_missing("cifar10", Settings(home=tmp_path, downloads=False)) is None


def test_an_address_that_responds_is_enough(tmp_path: Path) -> None:
    publication = cifar(tmp_path / "www" / "archive")
    with served(tmp_path / "www") as address:
        there = dataclasses.replace(publication, address=f"{address}/archive")
        assert cifar10.can_be_fetched(there)
        gone = dataclasses.replace(publication, address=f"{address}/gone")
        assert not cifar10.can_be_fetched(gone)
    assert not responds(f"{NOWHERE}/archive")


@pytest.mark.parametrize("is_known", [True, False])
def test_a_package_that_apt_knows_is_enough(
    monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    monkeypatch.setattr(fashion_mnist, "responds", lambda _: False)
    monkeypatch.setattr(fashion_mnist, "is_debian_package_known", lambda _: is_known)
    assert fashion_mnist.can_be_fetched() == is_known


class TestWithoutDownloads:
    def test_no_address_is_contacted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cifar10, "responds", lambda _: pytest.fail("contacted"))
        text = availability.why_missing("cifar10", Settings(home=tmp_path, downloads=False))
        assert text is not None
        assert "downloads are switched off (TRAINSHED_DOWNLOADS)" in text

    def test_nothing_is_downloaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRAINSHED_DOWNLOADS", "false")
        (tmp_path / "file").write_bytes(b"content")
        with served(tmp_path) as address, pytest.raises(SourceFailed, match="switched off"):
            download(f"{address}/file", tmp_path / "got", max_bytes=7, timeout_seconds=60)
        assert not (tmp_path / "got").exists()
