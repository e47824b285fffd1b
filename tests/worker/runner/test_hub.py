"""Whether the weights of the model library are in the local cache or can be downloaded."""

from pathlib import Path

import pytest

from shared.settings import Settings
from worker.runner import hub


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(hub, "responds", lambda _: False)


def _cache(tmp_path: Path, repository: str, file: str) -> None:
    """Write a file as the hub's client keeps it."""
    directory = tmp_path / f"models--{repository.replace('/', '--')}"
    for path, text in ((f"snapshots/abc/{file}", "weights"), ("refs/main", "abc")):
        (directory / path).parent.mkdir(parents=True)
        (directory / path).write_text(text)


def test_missing_weights_come_with_how_to_bring_them() -> None:
    text = hub.why_missing("resnet50", Settings())
    assert text is not None
    assert text.startswith("The weights of `resnet50` are not on this box, and the model library's")
    for part in ("hf download timm/resnet50.a1_in1k", "HF_HOME", "/v1/weights", hub.PACKAGED):
        assert part in text


def test_weights_outside_the_hub_come_with_their_address() -> None:
    text = hub.why_missing("xception", Settings())
    assert text is not None
    assert "xception-43020ad28.pth" in text
    assert "TORCH_HOME/hub/checkpoints" in text


@pytest.mark.parametrize("file", hub.FILES)
def test_cached_weights_are_available(tmp_path: Path, file: str) -> None:
    _cache(tmp_path, "timm/resnet50.a1_in1k", file)
    assert hub.why_missing("resnet50", Settings()) is None
    assert hub.why_missing("resnet101", Settings()) is not None


def test_weights_are_available_where_the_hub_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[str] = []

    def respond(address: str) -> bool:
        addresses.append(address)
        return True

    monkeypatch.setattr(hub, "responds", respond)
    assert hub.why_missing("resnet50", Settings()) is None
    assert hub.why_missing("xception", Settings()) is None
    assert [address.rpartition("/")[2] for address in addresses] == [
        "config.json",
        "xception-43020ad28.pth",
    ]


@pytest.mark.parametrize("switch", ["TRAINSHED_DOWNLOADS", "HF_HUB_OFFLINE"])
def test_a_switched_off_hub_is_not_contacted(monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", switch == "HF_HUB_OFFLINE")
    monkeypatch.setattr(hub, "responds", lambda _: pytest.fail("contacted"))
    text = hub.why_missing("resnet50", Settings(downloads=switch != "TRAINSHED_DOWNLOADS"))
    assert text is not None
    assert f"switched off ({switch})" in text
