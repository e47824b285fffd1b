"""Pretrained weights: those of the package are the network that they say they are."""

import pytest
import torch

from worker.architectures.zoo.timm_models import import_timm
from worker.registry import architectures
from worker.runner import pretrained
from worker.training.transfer import load_body


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_the_packaged_weights_give_the_features_of_the_library_s_own_network() -> None:
    weights = pretrained.load("efficientnet_lite0")
    model = architectures.get("efficientnet_lite0").function((3, 64, 64), 5)
    load_body(model, weights.tensors)
    theirs = import_timm().create_model("tf_efficientnet_lite0", num_classes=0)
    ours = {name: t for name, t in pretrained._packaged().items() if "_fc" not in name}
    names = theirs.state_dict()
    theirs.load_state_dict(dict(zip(names, ours.values(), strict=True)))
    images_NCHW = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected_NF = theirs.eval()(images_NCHW)
        assert torch.equal(model.eval().get_submodule("body")(images_NCHW), expected_NF)
    assert expected_NF.std() > 0.1, "features, not noise around 0"


def test_they_are_normalised_as_they_expect() -> None:
    normalization = pretrained.load("efficientnet_lite0").normalization
    assert normalization is not None
    assert normalization.mean == normalization.deviation == (0.5, 0.5, 0.5)


def test_without_a_network_another_name_says_which_ones_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(import_timm(), "create_model", unreachable)
    with pytest.raises(ValueError, match=r"hub does not answer; .* efficientnet_lite0"):
        pretrained._from_hub("resnet50")


def test_a_network_without_weights_in_the_library() -> None:
    with pytest.raises(ValueError, match="no weights of nasnet_mobile"):
        pretrained.load("nasnet_mobile")


def test_weights_in_another_order_are_refused() -> None:
    wanted = {"a": torch.zeros(2), "b": torch.zeros(3)}
    with pytest.raises(ValueError, match="a is another there"):
        pretrained._in_order(wanted, {"b": torch.zeros(3), "a": torch.zeros(2)})
    found = pretrained._in_order(
        wanted, {"x": torch.ones(2), "y": torch.ones(3), "fc": torch.ones(1)}
    )
    assert list(found) == ["a", "b"]
