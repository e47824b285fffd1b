from urllib.error import URLError

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image
from torch import Tensor

from worker import weights_library
from worker.architectures.zoo.library import import_timm
from worker.architectures.zoo.record import RECORDS
from worker.registry import architectures
from worker.training.count import build_on_meta
from worker.weights_library import WeightsMissing, load, renamed

#: The class of ImageNet.
PALACE = 698

architectures.entries()
FETCHED = [name for name, record in RECORDS.items() if record.pretrained == "hub"]


def seen(size: int, *, samples: int = 2) -> Tensor:
    return torch.randn(samples, 3, size, size, generator=torch.Generator().manual_seed(0))


class TestThePackagedWeights:
    def test_they_fill_our_network_and_say_what_images_they_expect(self) -> None:
        found = load("efficientnet_lite0")
        ours = build_on_meta("efficientnet_lite0", {}, (3, 224, 224), 1000).state_dict()
        wanted = {name: t.shape for name, t in ours.items() if "num_batches" not in name}
        assert {name: tensor.shape for name, tensor in found.weights.items()} == wanted
        assert len(wanted) == 247
        assert (found.mean, found.std) == ((0.5,) * 3, (0.5,) * 3)
        assert (found.image_size, found.interpolation) == (224, "bicubic")

    def test_they_give_the_logits_that_they_give_in_the_library(self) -> None:
        ours = architectures.get("efficientnet_lite0").function((3, 64, 64), 1000)
        ours.load_state_dict(load("efficientnet_lite0").weights, strict=False)
        theirs = import_timm().create_model("tf_efficientnet_lite0")
        names = [name for name in theirs.state_dict() if "num_batches" not in name]
        read = weights_library._packaged()
        packaged = [tensor for name, tensor in read.items() if "num_batches" not in name]
        theirs.load_state_dict(dict(zip(names, packaged, strict=True)), strict=False)
        with torch.inference_mode():
            assert torch.equal(ours.eval()(seen(64)), theirs.eval()(seen(64)))

    def test_they_know_a_palace_when_they_see_one(self) -> None:
        found = load("efficientnet_lite0")
        model = architectures.get("efficientnet_lite0").function((3, 224, 224), 1000)
        model.load_state_dict(found.weights, strict=False)
        photograph = Image.fromarray(load_sample_image("china.jpg"))
        square = ImageOps.fit(photograph, (224, 224), Image.Resampling.BICUBIC)
        pixels_HWC = torch.tensor(np.asarray(square), dtype=torch.float32) / 255
        mean_C, std_C = torch.tensor(found.mean), torch.tensor(found.std)
        image_NCHW = ((pixels_HWC - mean_C) / std_C).permute(2, 0, 1)[None]
        with torch.inference_mode():
            shares_NM = model.eval()(image_NCHW).softmax(1)
        assert shares_NM.argmax().item() == PALACE
        assert shares_NM.max() > 0.2


@pytest.mark.parametrize("name", FETCHED)
def test_the_library_s_tensors_are_ours_in_the_same_order(name: str) -> None:
    record = RECORDS[name]
    with torch.device("meta"):
        theirs = import_timm().create_model(record.library_name)
    size = record.image_size
    ours = build_on_meta(name, {}, (3, size, size), 1000).state_dict()
    assert renamed(theirs.state_dict(), ours).keys() <= ours.keys()


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mobilenet_v2", 32),
        ("resnet50_v2", 32),
        pytest.param("vgg16", 224, marks=pytest.mark.zoo),
    ],
)
def test_fetched_weights_give_the_library_s_logits(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = import_timm().create_model(RECORDS[name].library_name)
    with monkeypatch.context() as patch:
        patch.setattr(import_timm(), "create_model", lambda *_, **__: theirs)
        fetched = weights_library._fetched(RECORDS[name])
    ours = architectures.get(name).function((3, size, size), 1000)
    ours.load_state_dict(renamed(fetched, ours.state_dict()), strict=False)
    with torch.inference_mode():
        torch.testing.assert_close(
            ours.eval()(seen(size)), theirs.eval()(seen(size)), rtol=1e-4, atol=1e-5
        )


class TestWhereThereAreNone:
    @pytest.mark.parametrize("name", ["nasnet_mobile", "mlp", "nothing"])
    def test_it_says_of_which_networks_there_are(self, name: str) -> None:
        with pytest.raises(WeightsMissing, match=f"of {name!r}; there are of: densenet121, "):
            load(name)

    def test_it_says_what_works_without_a_network(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: object
    ) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(WeightsMissing, match="these work: efficientnet_lite0"):
            load("mobilenet_v2")

    def test_an_address_that_does_not_answer_is_the_same(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object, **__: object) -> None:
            raise URLError("no such host")

        monkeypatch.setattr(import_timm(), "create_model", away)
        with pytest.raises(WeightsMissing, match="these work: efficientnet_lite0"):
            load("xception")


def test_weights_of_another_network_are_refused() -> None:
    ours = build_on_meta("mobilenet_v2", {}, (3, 32, 32), 1000).state_dict()
    with pytest.raises(ValueError, match="tensors, the network"):
        renamed(load("efficientnet_lite0").weights, ours)
    with pytest.raises(ValueError, match=r"is \[3\], and the weights are \[4\]"):
        renamed({"a": torch.zeros(4)}, {"b": torch.zeros(3)})
