import pytest
import torch
from torch import nn

from tests.worker.experiments import data, experiment, vgg
from tests.worker.filled import parameters
from worker.registry import architectures
from worker.training.fit import fit
from worker.training.meta_model import build_on_meta, count_parameters
from worker.training.reports import EpochEnded

VALID = parameters("architectures", "vgg_small", padding="valid")
#: The other architectures are in test_zoo.py.
NAMES = [
    name for name, entry in architectures.entries().items() if not entry.facts.get("heavy", False)
]


@pytest.mark.parametrize("name", NAMES)
class TestEveryArchitecture:
    def test_output_has_a_score_per_class_and_gradients_are_finite(self, name: str) -> None:
        model = architectures.get(name).function((1, 8, 8), 7)
        logits_NM = model(torch.randn(4, 1, 8, 8))
        assert (logits_NM.shape, logits_NM.dtype) == ((4, 7), torch.float32)
        logits_NM.square().mean().backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()

    def test_names_of_the_last_layer_start_with_head(self, name: str) -> None:
        model = architectures.get(name).function((3, 8, 8), 7)
        last = list(dict(model.named_parameters()))[-2:]
        assert last == ["head.output.weight", "head.output.bias"]

    def test_short_job_lowers_the_loss(self, name: str) -> None:
        training = experiment(architecture=name, training={"epochs": 4})
        losses = [
            report.metrics["train_data_loss"]
            for report in fit(training)
            if isinstance(report, EpochEnded)
        ]
        assert losses[-1] < losses[0]


class TestVggSmall:
    def test_order_is_convolution_activation_batch_norm(self) -> None:
        block = architectures.get("vgg_small").function((3, 32, 32), 10).block1
        kinds = [type(layer).__name__ for layer in block]
        assert kinds == [*("Conv2d", "ELU", "BatchNorm2d") * 2, "MaxPool2d", "Dropout"]

    def test_batch_norm_has_the_settings_of_keras(self) -> None:
        model = architectures.get("vgg_small").function((3, 32, 32), 10)
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        assert len(norms) == 5
        assert {(norm.momentum, norm.eps) for norm in norms} == {(0.1, 1e-3)}

    def test_layers_after_flatten_are_the_head(self) -> None:
        names = list(
            dict(architectures.get("vgg_small").function((3, 32, 32), 10).named_children())
        )
        assert names == ["block1", "block2", "flatten", "head"]

    def test_parameters_are_applied(self) -> None:
        model = architectures.get("vgg_small").function(
            (3, 32, 32),
            5,
            activation="tanh",
            widths=[8, 16, 24],
            kernel_size=5,
            hidden_units=[64, 32],
            dropout=0.1,
            head_dropout=0.2,
            batch_norm=False,
        )
        convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
        assert [c.out_channels for c in convolutions] == [8, 8, 16, 16, 24, 24]
        assert {c.kernel_size for c in convolutions} == {(5, 5)}
        assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.1] * 3 + [0.2] * 2
        assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.ELU)]
        assert [m.out_features for m in model.modules() if isinstance(m, nn.Linear)] == [64, 32, 5]

    def test_valid_padding_shrinks_the_features(self) -> None:
        counted = count_parameters(build_on_meta("vgg_small", VALID, (3, 32, 32), 10))
        # 32 → 28 → 14 → 10 → 5, so 64·5·5 features enter the head instead of 64·8·8
        assert counted["trainable"] == 2_169_770 - 512 * 64 * (64 - 25)

    def test_small_image_is_refused_with_the_smallest_size(self) -> None:
        with pytest.raises(ValueError, match="at least 16x16 pixels"):
            build_on_meta("vgg_small", VALID, (3, 15, 15), 10)
        assert build_on_meta("vgg_small", VALID, (3, 16, 16), 10)


def test_mlp_has_the_requested_layers() -> None:
    model = architectures.get("mlp").function((1, 8, 8), 10, hidden_units=[32, 16])
    shapes = [tuple(p.shape) for p in model.parameters()]
    assert shapes == [(32, 64), (32,), (16, 32), (16,), (10, 16), (10,)]


def test_names_of_layers_do_not_depend_on_other_settings() -> None:
    def named(**parameters: object) -> set[str]:
        model = architectures.get("vgg_small").function((3, 16, 16), 4, **parameters)
        return {name for name, tensor in model.named_parameters() if tensor.ndim >= 2}

    assert named() == named(batch_norm=False, dropout=0.0, activation="relu")


def test_network_can_overfit_a_batch() -> None:
    training = experiment(
        architecture=vgg(dropout=0.0, head_dropout=0.0, widths=[8, 8], hidden_units=[32]),
        bundle=data(train=12),
        optimizer={"name": "adam", "learning_rate": 0.01},
        training={"epochs": 40, "batch_size": 12},
    )
    ended = [report.metrics for report in fit(training) if isinstance(report, EpochEnded)]
    assert ended[-1]["train_accuracy"] == 1.0
    assert ended[-1]["train_data_loss"] < 0.02
