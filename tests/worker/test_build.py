import pytest
import torch

from shared.spec import JobSpec
from tests.worker.experiments import data, experiment, spec
from tests.worker.filled import parameters
from worker.build import build
from worker.registry import SpecError
from worker.training.clipping import Clipping
from worker.training.experiment import Split
from worker.training.selection import Best


class TestBuild:
    def test_experiment_has_all_parts_of_the_specification(self) -> None:
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

    def test_filters_are_in_channels_last_order(self) -> None:
        model = experiment(architecture="vgg_small").model
        weight = model.get_parameter("block1.conv1.weight")
        assert weight.is_contiguous(memory_format=torch.channels_last)

    def test_architecture_is_recorded_with_the_overrides_of_regularizers(self) -> None:
        training = experiment(regularizers={"dropout": {"rate": 0.4}})
        expected = parameters("architectures", "mlp", dropout=0.4)
        assert training.architecture == {"name": "mlp", **expected}

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"architecture": "vgg_smal"}, "Did you mean 'vgg_small'"),
            ({"architecture": {"name": "mlp", "width": 3}}, "`width` is 3: Extra inputs"),
            ({"optimizer": {"name": "sgd", "momentum": 1.0}}, "`momentum` is 1.0: Input should be"),
            ({"regularizers": {"l3": {}}}, "'l3' is not in the catalogue's regularizers"),
            ({"initializer": "he"}, "'he' is not in the catalogue's initializers"),
            ({"loss": "hing"}, "'hing' is not in the catalogue's losses"),
            ({"loss": "l2"}, "The loss l2 does not fit a data set of 6 classes"),
            ({"loss": "logistic"}, "The loss logistic does not fit a data set of 6 classes"),
            (
                {"architecture": "linear", "regularizers": {"dropout": {}}},
                "'dropout' sets dropout or head_dropout, which linear does not have",
            ),
        ],
    )
    def test_invalid_specification_is_refused(self, fields: dict, message: str) -> None:
        with pytest.raises(SpecError, match=message):
            build(spec(**fields), data())

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("architecture", {"name": "mlp"}, "`hidden_units` is missing"),
            ("optimizer", {"name": "sgd"}, "`warmup` is missing"),
            ("metrics", {"top_k": None}, "top_k is not filled in"),
            ("dataset", {"name": "any"}, "normalization is None"),
        ],
    )
    def test_specification_with_defaults_left_out_is_refused(
        self, field: str, value: dict, message: str
    ) -> None:
        raw = {**spec().model_dump(), field: value}
        with pytest.raises(SpecError, match=message):
            build(JobSpec.model_validate(raw), data())


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 8, 8).double(), torch.zeros(2, 8, 8, dtype=torch.uint8)]
)
def test_split_with_wrong_images_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="uint8"):
        Split(images, torch.zeros(2).long(), torch.arange(2))


def test_split_with_missing_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="2 images, 1 labels and 2 indices"):
        Split(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(1).long(), torch.arange(2))
