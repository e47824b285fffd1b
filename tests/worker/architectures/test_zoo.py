"""The model zoo: each network on the meta device, and a step of training."""

import subprocess
import sys
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.worker.experiments import data, experiment
from worker.architectures.zoo.registration import ZOO_MODELS
from worker.architectures.zoo.timm_models import import_timm
from worker.registry import architectures
from worker.training.fit import fit
from worker.training.memory import Update, predict_memory_mib
from worker.training.meta_model import build_on_meta, count_parameters
from worker.training.reports import EpochEnded

#: Parameters and statistics of batch norm at 3 channels and 1000 classes: the count of Keras, and
#: the difference of our count, which the catalogue explains.
COUNTS = {
    "xception": (22_910_480, 0),
    "vgg16": (138_357_544, 0),
    "vgg19": (143_667_240, 0),
    "resnet50": (25_636_712, -26_560),
    "resnet101": (44_707_176, -52_672),
    "resnet152": (60_419_944, -75_712),
    "resnet50_v2": (25_613_800, -19_008),
    "resnet101_v2": (44_675_560, -36_416),
    "resnet152_v2": (60_380_648, -51_776),
    "inception_v3": (23_851_784, 17_216),
    "inception_resnet_v2": (55_873_736, 30_272),
    "mobilenet": (4_253_864, 0),
    "mobilenet_v2": (3_538_984, 0),
    "densenet121": (8_062_504, 0),
    "densenet169": (14_307_880, 0),
    "densenet201": (20_242_984, 0),
    "nasnet_mobile": (5_326_716, 0),
    "nasnet_large": (88_949_818, 0),
    "efficientnet_b0": (5_330_571, -7),
    "efficientnet_b1": (7_856_239, -7),
    "efficientnet_b2": (9_177_569, -7),
    "efficientnet_b3": (12_320_535, -7),
    "efficientnet_b4": (19_466_823, -7),
    "efficientnet_b5": (30_562_527, -7),
    "efficientnet_b6": (43_265_143, -7),
    "efficientnet_b7": (66_658_687, -7),
}
ZOO = [*COUNTS, "efficientnet_lite0"]
CHEAP = ("mobilenet_v2", "nasnet_mobile", "efficientnet_lite0")
HEADS = {"vgg16": 6, "vgg19": 6}  # tensors of three dense layers; other heads have one layer


def facts(name: str) -> Any:
    return architectures.get(name).facts


def default_shape(name: str) -> tuple[int, int, int]:
    """The default image shape of a network."""
    size = facts(name)["image_size"]["default"]
    return (3, size, size)


@cache
def built(name: str) -> Any:
    """The network at its default image size and 1000 classes, shared by tests: do not change it."""
    return build_on_meta(name, architectures.get(name).defaults, default_shape(name), 1000)


def smallest(name: str, channels: int = 3) -> tuple[int, int, int]:
    size = facts(name)["image_size"]["minimum"]
    return (channels, size, size)


def test_heavy_architectures_are_the_zoo() -> None:
    heavy = [name for name, entry in architectures.entries().items() if entry.facts.get("heavy")]
    assert sorted(heavy) == sorted(ZOO) == sorted(ZOO_MODELS)


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count_differs_from_keras_only_as_documented(name: str) -> None:
    reference, difference = COUNTS[name]
    counted = count_parameters(built(name))["with_statistics"]
    assert (facts(name)["reference"], counted) == (reference, reference + difference)
    assert bool(facts(name)["difference"]) == (difference != 0)


def test_packaged_network_has_the_size_of_its_weights() -> None:
    counted = count_parameters(
        build_on_meta("efficientnet_lite0", {"dropout": 0.2}, (3, 224, 224), 1000)
    )
    assert counted == {"trainable": 4_652_008, "with_statistics": 4_694_024}


@pytest.mark.parametrize("name", ZOO)
class TestEveryNetwork:
    def test_stages_have_all_tensors_of_the_body_in_order(self, name: str) -> None:
        model = built(name)
        tensors = list(model.state_dict())
        stages = facts(name)["stages"]
        staged = [
            tensor for stage in stages for tensor in tensors if tensor.startswith(f"{stage}.")
        ]
        assert staged == [tensor for tensor in tensors if not tensor.startswith("head.")]
        assert all(any(t.startswith(f"{stage}.") for t in tensors) for stage in stages)

    def test_head_is_last_and_ends_in_a_score_per_class(self, name: str) -> None:
        model = built(name)
        parameters = dict(model.named_parameters())
        assert sum(tensor.startswith("head.") for tensor in parameters) == HEADS.get(name, 2)
        assert list(parameters)[-2:] == ["head.output.weight", "head.output.bias"]
        assert parameters["head.output.weight"].shape[0] == 1000

    def test_network_trains_on_grey_images_of_the_smallest_size(self, name: str) -> None:
        needed = predict_memory_mib(
            name,
            architectures.get(name).defaults,
            smallest(name, 1),
            7,
            batch_size=8,
            updates=[Update(slots=1)],
        )
        assert needed > 2 * 4 * count_parameters(built(name).body)["trainable"] / 2**20

    def test_smaller_image_is_refused(self, name: str) -> None:
        size = facts(name)["image_size"]["minimum"]
        with pytest.raises(ValueError, match=f"at least {size}"):
            build_on_meta(name, architectures.get(name).defaults, (3, size - 1, size - 1), 7)

    def test_documented_size_is_the_size_of_the_weights(self, name: str) -> None:
        counted = count_parameters(built(name))["with_statistics"]
        assert facts(name)["size_mib"] == round(counted * 4 / 2**20)

    def test_dropout_is_only_in_the_head(self, name: str) -> None:
        model = build_on_meta(name, {"dropout": 0.125}, default_shape(name), 7)
        rates = {
            place: layer.p
            for place, layer in model.named_modules()
            if isinstance(layer, nn.Dropout) and layer.p > 0
        }
        assert set(rates.values()) == {0.125}
        assert all(place.startswith("head.") for place in rates)

    def test_fact_has_batch_norm_is_right(self, name: str) -> None:
        model = built(name)
        has_statistics = any("running_mean" in tensor for tensor, _ in model.named_buffers())
        assert facts(name)["has_batch_norm"] == has_statistics

    def test_documented_epsilon_and_momentum_are_those_of_every_layer(self, name: str) -> None:
        layers = [m for m in built(name).modules() if isinstance(m, nn.BatchNorm2d)]
        epsilon = ZOO_MODELS[name].epsilon
        assert {layer.eps for layer in layers} == ({epsilon} if epsilon else set())
        assert {layer.momentum for layer in layers} <= {0.1}
        description = architectures.get(name).description or ""
        assert (f"ε = {epsilon:g}" in description) if epsilon else not description

    def test_normalization_is_documented_for_the_pretrained_weights(self, name: str) -> None:
        timm_name = ZOO_MODELS[name].timm_name
        if timm_name is None:
            pytest.skip("timm has no weights of this network")
        config = import_timm().get_pretrained_cfg(timm_name)
        assert facts(name)["normalization"] == {"mean": [*config.mean], "std": [*config.std]}


@pytest.mark.parametrize(
    "name",
    [name if name in CHEAP else pytest.param(name, marks=pytest.mark.zoo) for name in ZOO],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_step_gives_finite_gradients_to_every_tensor(name: str, channels: int) -> None:
    torch.manual_seed(0)
    image_shape = smallest(name, channels)
    model = architectures.get(name).function(image_shape, 5)
    logits_NM = model(torch.randn(4, *image_shape))
    assert (logits_NM.shape, logits_NM.dtype) == ((4, 5), torch.float32)
    functional.cross_entropy(logits_NM, torch.tensor([0, 1, 2, 3])).backward()
    for tensor, parameter in model.named_parameters():
        assert parameter.grad is not None, tensor
        assert parameter.grad.isfinite().all(), tensor


@pytest.mark.parametrize("size", [32, 47, 224])
def test_nasnet_mobile_accepts_odd_and_even_sizes(size: int) -> None:
    model = build_on_meta("nasnet_mobile", {"dropout": 0.5}, (3, size, size), 10)
    assert model(torch.empty(2, 3, size, size, device="meta")).shape == (2, 10)


def test_first_dense_layer_of_vgg_fits_the_image() -> None:
    wide = dict(build_on_meta("vgg16", {"dropout": 0.5}, (3, 224, 224), 1000).named_parameters())
    narrow = dict(build_on_meta("vgg16", {"dropout": 0.5}, (3, 64, 64), 1000).named_parameters())
    assert wide["head.hidden1.weight"].shape == (4096, 512 * 7 * 7)
    assert narrow["head.hidden1.weight"].shape == (4096, 512 * 2 * 2)


def test_registry_does_not_import_timm() -> None:
    code = (
        "import sys; from worker.registry import architectures; architectures.entries(); "
        "assert not {'timm', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", CHEAP)
def test_short_job_lowers_the_loss(name: str) -> None:
    training = experiment(
        architecture=name,
        bundle=data(train=16, size=32),
        regularizers={"dropout": {"rate": 0.1}},
        optimizer={"name": "adam", "learning_rate": 0.001},
        training={"epochs": 3},
    )
    assert training.architecture["dropout"] == 0.1
    losses = [
        report.metrics["train_data_loss"]
        for report in fit(training)
        if isinstance(report, EpochEnded)
    ]
    assert losses[-1] < losses[0]
