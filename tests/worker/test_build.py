import pytest
import torch

from tests.worker.experiments import data, experiment, spec, split
from worker.build import architecture_parameters, build, normalization
from worker.training.clipping import Clipping
from worker.training.device_split import DeviceSplit
from worker.training.experiment import Best, Split


class TestNormalization:
    def _inputs(self, kind: str) -> torch.Tensor:
        train = split(50, seed=1)
        resident = DeviceSplit(
            train.images, train.labels, normalization(kind, train), torch.device("cpu")
        )
        images_NCHW, _ = resident.batch(slice(None))
        return images_NCHW

    def test_standardize_centres_and_scales_each_channel_of_the_training_split(self) -> None:
        images_NCHW = self._inputs("standardize")
        assert torch.allclose(images_NCHW.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
        deviations = images_NCHW.std((0, 2, 3), unbiased=False)
        assert torch.allclose(deviations, torch.ones(3), atol=1e-5)

    def test_the_figures_are_exact(self) -> None:
        train = split(50, seed=1)
        pixels = train.images.double() / 255
        figures = normalization("standardize", train)
        assert figures.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), rel=1e-12)
        assert figures.deviation == pytest.approx(
            pixels.std((0, 2, 3), unbiased=False).tolist(), rel=1e-12
        )

    def test_unit_is_0_to_1_and_none_leaves_pixels(self) -> None:
        pixels = split(50, seed=1).images.float()
        assert torch.allclose(self._inputs("unit"), pixels / 255, atol=1e-6)
        assert torch.allclose(self._inputs("none"), pixels, rtol=1e-6)

    def test_a_channel_that_never_changes_is_only_centred(self) -> None:
        images = torch.full((4, 1, 8, 8), 51, dtype=torch.uint8)
        figures = normalization(
            "standardize", Split(images, torch.zeros(4).long(), torch.arange(4))
        )
        assert figures.mean == pytest.approx((0.2,))
        assert figures.deviation == (1.0,)

    def test_batches_are_channels_last(self) -> None:
        assert self._inputs("unit").is_contiguous(memory_format=torch.channels_last)


class TestBuild:
    def test_the_whole_specification_is_in_the_experiment(self) -> None:
        training = experiment(
            seed=9,
            optimizer={"name": "sgd", "learning_rate": 0.3, "gradient_clipping": {"value": 0.5}},
            training={
                "epochs": 7,
                "batch_size": 4,
                "precision": "bfloat16",
                "deterministic": False,
                "early_stopping": {"monitor": "val_accuracy", "mode": "max", "patience": 2},
            },
            checkpoints=[{"monitor": "val_loss", "mode": "min"}, {"every_epochs": 3}],
            metrics={"top_k": [2]},
        )
        (stage,) = training.stages
        assert (stage.epochs, stage.batch_size, stage.learning_rate) == (7, 4, 0.3)
        assert stage.clipping == Clipping("value", 0.5)
        assert stage.early_stopping is not None
        assert stage.early_stopping.best == Best("val_accuracy", "max")
        assert (training.seed, training.precision, training.deterministic) == (9, "bfloat16", False)
        assert training.checkpoints.best == (Best("val_loss", "min"),)
        assert training.checkpoints.every_epochs == (3,)
        assert training.ks == (1, 2)
        assert (training.steps, training.epochs) == (56, 7)

    def test_filters_are_channels_last_on_the_device(self) -> None:
        model = experiment(architecture="vgg_small").model
        weight = model.get_parameter("block1.conv1.weight")
        assert weight.is_contiguous(memory_format=torch.channels_last)

    def test_the_architecture_is_recorded_with_what_regularizers_set(self) -> None:
        parameters = architecture_parameters("mlp", {}, {"dropout": {"rate": 0.4}})
        assert parameters["dropout"] == 0.4
        training = experiment(regularizers={"dropout": {"rate": 0.4}})
        assert training.architecture == {"name": "mlp", **parameters}

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"architecture": "vgg_smal"}, "did you mean 'vgg_small'"),
            ({"architecture": {"name": "mlp", "width": 3}}, "width: Extra inputs"),
            ({"optimizer": {"name": "sgd", "momentum": 1.0}}, "momentum: Input should be less"),
            ({"regularizers": {"l3": {}}}, "regularizers has no 'l3'; did you mean"),
            ({"initializer": "he"}, "initializers has no 'he'"),
            ({"loss": "hing"}, "losses has no 'hing'"),
            ({"loss": "l2"}, "l2 is for a target of number, and this is of classes"),
            ({"loss": "logistic"}, "logistic is for 2 classes"),
        ],
    )
    def test_what_is_not_admitted_is_refused(self, fields: dict, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            build(spec(**fields), data())


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 8, 8).double(), torch.zeros(2, 8, 8, dtype=torch.uint8)]
)
def test_a_split_that_is_none_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="uint8"):
        Split(images, torch.zeros(2).long(), torch.arange(2))


def test_a_split_without_its_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="as many labels"):
        Split(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(1).long(), torch.arange(2))
