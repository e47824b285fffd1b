"""`dataset` and `pretrained`: whether files are on this machine."""

from pathlib import Path

import pytest

from worker.runner import hub
from worker.sidecar.operations import respond


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of a box without downloads."""
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_DOWNLOADS", "false")
    return tmp_path


def test_a_data_set_is_available_once_its_file_is_on_the_box(home: Path) -> None:
    request = {"operation": "dataset", "name": "cifar10"}
    [fault] = respond(request)["faults"]
    assert fault["pointer"] == "/dataset/name"
    assert "TRAINSHED_HOME/data/cifar10" in fault["detail"]
    assert str(home) not in fault["detail"]
    (home / "data/cifar10").mkdir(parents=True)
    (home / "data/cifar10/cifar-10-binary.tar.gz").touch()
    assert respond(request) == {"ok": True}


def test_weights_are_available_from_a_package_or_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = {"operation": "pretrained", "name": hub.PACKAGED}
    assert respond(packaged) == {"ok": True}
    monkeypatch.setattr(hub, "_is_cached", lambda _: False)
    [fault] = respond({"operation": "pretrained", "name": "resnet50"})["faults"]
    assert fault["pointer"] == "/fine_tuning/weights/pretrained"
    monkeypatch.setattr(hub, "_is_cached", lambda _: True)
    assert respond({"operation": "pretrained", "name": "resnet50"}) == {"ok": True}
