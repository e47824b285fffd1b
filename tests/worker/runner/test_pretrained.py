import pytest
import torch

from worker.architectures.zoo.timm_models import import_timm
from worker.registry import SpecError, architectures
from worker.runner import hub, pretrained
from worker.runner.pretrained import load_pretrained
from worker.training.transfer import load_body


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_packaged_weights_give_the_same_features_as_the_library_s_network() -> None:
    weights = load_pretrained("efficientnet_lite0")
    model = architectures.get("efficientnet_lite0").function((3, 64, 64), 5)
    load_body(model, weights.tensors)
    reference = import_timm().create_model("tf_efficientnet_lite0", num_classes=0)
    packaged = pretrained._from_package()
    body = [tensor for name, tensor in packaged.items() if "_fc" not in name]
    reference.load_state_dict(dict(zip(reference.state_dict(), body, strict=True)))
    images_NCHW = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected_NF = reference.eval()(images_NCHW)
        assert torch.equal(model.eval().get_submodule("body")(images_NCHW), expected_NF)
    assert expected_NF.std() > 0.1, "features, not noise around 0"


def test_packaged_weights_come_with_their_normalization() -> None:
    normalization = load_pretrained("efficientnet_lite0").normalization
    assert normalization is not None
    assert normalization.mean == normalization.deviation == (0.5, 0.5, 0.5)


def test_without_a_network_connection_the_error_says_how_to_bring_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "responds", lambda _: False)
    with pytest.raises(SpecError, match=r"hub does not respond\. .* efficientnet_lite0"):
        pretrained._from_hub("resnet50")


def test_a_download_that_breaks_off_says_how_to_bring_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(hub, "responds", lambda _: True)
    monkeypatch.setattr(import_timm(), "create_model", break_off)
    with pytest.raises(SpecError, match=r"could not be read .* efficientnet_lite0"):
        pretrained._from_hub("resnet50")


def test_a_network_without_pretrained_weights_is_refused() -> None:
    with pytest.raises(SpecError, match="no weights of nasnet_mobile"):
        load_pretrained("nasnet_mobile")


def test_weights_in_another_order_are_refused() -> None:
    body = {"a": torch.zeros(2), "b": torch.zeros(3)}
    with pytest.raises(SpecError, match="a has another shape"):
        pretrained._rename({"b": torch.zeros(3), "a": torch.zeros(2)}, body)


def test_weights_are_renamed_in_order_and_lose_their_classifier() -> None:
    body = {"a": torch.zeros(2), "b": torch.zeros(3)}
    tensors = {"x": torch.ones(2), "y": torch.ones(3), "fc": torch.ones(1)}
    assert list(pretrained._rename(tensors, body)) == ["a", "b"]
